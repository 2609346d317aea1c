"""`AuthenticateMiddleware`: the contract of starlette-oauth2-api, for Starlette and what is built on it.

It reads the request, asks the `ResourceServer`, and puts its verdict where that package put it. It verifies
nothing itself.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bearerguard._asgi import (
    App,
    ASGIRequest,
    Receive,
    Scope,
    Send,
    answer_at,
    answer_or_close,
    by_path,
    endpoint_at,
    is_public,
    is_request,
    respond,
    route_path,
)
from bearerguard.answer import answer
from bearerguard.context import SERVING, Serving, current
from bearerguard.errors import AuthError, ConfigurationError, MissingCredentials
from bearerguard.guard import BaseGuard, exact_paths
from bearerguard.provider import ANY_JWT, Provider
from bearerguard.provider._warning import warn_caller
from bearerguard.provider.keys import RemoteKeys, keys_with
from bearerguard.server import ResourceServer
from bearerguard.token import AccessToken

__all__ = ["AuthenticateMiddleware"]

_OF_FETCHING = {
    "http_options": "http_options",
    "key_set_lifetime": "lifetime",
    "pinned_thumbprints": "pinned_thumbprints",
    "dangerously_allow_http": "dangerously_allow_http",
}
"""The options that may stand beside `keys` in a mapping, with its name in `RemoteKeys`."""
_OF_PROVIDER = tuple(
    name
    for name, option in inspect.signature(Provider).parameters.items()
    if name != "name" and option.kind is not option.VAR_KEYWORD
)
_OPTIONS = (*_OF_PROVIDER, *_OF_FETCHING)


class AuthenticateMiddleware:
    """ASGI middleware: every path but the public ones requires a valid access token.

    Where the token is valid, the application finds in its scope `oauth2-claims` (all claims, a dict of this
    request's own), `oauth2-provider` (the provider's name) and `bearerguard.token` (the `AccessToken`).
    Otherwise it is not entered: 400 without bearer credentials, 401 for a bad token, 503 with `Retry-After`
    where the provider's keys are unavailable; a WebSocket is closed with code 1008 before it is accepted.

    Args:
        app: the application to protect.
        providers: names of your choice, each with a `Provider` or a mapping with `issuer`, `audience`,
            `keys` (left out: discovered from the issuer) and any other option of `Provider`. In a mapping the
            options of `RemoteKeys` may stand beside `keys`: `http_options`, `pinned_thumbprints`,
            `dangerously_allow_http`, and `key_set_lifetime` for its `lifetime`.
        public_paths: exact paths that need no token, as routes name them: below the mount of the whole. An
            application that routes by the whole path, as Starlette does not, is for `bearerguard.asgi.Guard`.
        get_keys: your own way to get keys, sync or async: called with what the provider has in `keys`, off
            the event loop, it returns keys in any form that `Provider` takes but an address.
        key_refresh_minutes: for how long fetched keys are fresh: a number, or one for each provider by
            name. None leaves it to the provider within bounds; `float("inf")` fetches once.
        clock: seconds since 1970.
        server: a `ResourceServer` to use in place of `providers`. Where it has a `resource`, the metadata of
            the resource is served too (RFC 9728), and challenges point there.

    Raises:
        ConfigurationError: where a provider lacks something or is unsafe; the message names it.

    Examples:
        ```python
        app.add_middleware(
            AuthenticateMiddleware,
            providers={"login": {"issuer": "https://login.example", "audience": "https://api.example"}},
            public_paths={"/health"},
        )
        ```
    """

    def __init__(
        self,
        app: App,
        providers: Mapping[Any, Mapping[str, Any] | Provider] | None = None,
        public_paths: Iterable[str] | None = None,
        get_keys: Callable[[Any], Any] | None = None,
        key_refresh_minutes: float | Mapping[Any, float] | None = None,
        *,
        clock: Callable[[], float] = time.time,
        server: ResourceServer | None = None,
    ) -> None:
        self._app = app
        self._public_paths = exact_paths(public_paths)
        self._names: dict[str, Any] = {}
        if server is None:
            built = _providers(providers, get_keys, key_refresh_minutes)
            # The names that the application gave, which need not be strings.
            self._names = {provider.name: name for name, provider in built.items()}
            server = ResourceServer(*built.values(), clock=clock)
        elif not isinstance(server, ResourceServer):
            raise ConfigurationError(f"server is a {type(server).__name__}: give a ResourceServer.")
        elif providers or get_keys is not None or key_refresh_minutes is not None or clock is not time.time:
            raise ConfigurationError(
                "Pass AuthenticateMiddleware either server=, or providers= (with get_keys, "
                "key_refresh_minutes and clock), not both."
            )
        self._server = server
        guard = BaseGuard(server)
        self._context = guard.context
        self._served = by_path(guard.endpoints)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through to the application, or refuse it."""
        if scope["type"] != "http" and not is_request(scope):
            await self._app(scope, receive, send)
            return
        if self._served and (endpoint := endpoint_at(scope, self._served)) is not None:
            await respond(send, await answer_at(endpoint, scope, receive))
            return
        request = scope[SERVING] = Serving()  # not in a `with` block: a tenth of what all this costs
        before = current.set(request)
        try:
            if not (self._public_paths and is_public(scope, route_path(scope), self._public_paths)):
                try:
                    token = self._server.admit(ASGIRequest(scope))
                    if not isinstance(token, AccessToken):
                        token = await token
                except AuthError as error:
                    # The contract of this middleware: a request without bearer credentials is a bad one.
                    status = 400 if isinstance(error, MissingCredentials) else None
                    refusal = answer(error, status=status, context=self._context)
                    await answer_or_close(scope, send, refusal, error.description)
                    return
                scope["oauth2-claims"] = token.claims_copy()
                scope["oauth2-provider"] = self._names.get(name := token.provider.name, name)
                scope["bearerguard.token"] = request.token = token
            await self._app(scope, receive, send)
        finally:
            request.token, request.is_over = None, True  # as `end` does, which would be a call more
            current.reset(before)


def _providers(providers: Any, get_keys: Any, minutes: Any) -> dict[Any, Provider]:
    """Read what the middleware was given."""
    if not isinstance(providers, Mapping) or not providers:
        raise ConfigurationError(
            "AuthenticateMiddleware needs providers: {a name of yours: {'issuer': ..., 'audience': ...}}."
        )
    if get_keys is not None and not callable(get_keys):
        raise ConfigurationError(
            f"get_keys is a {type(get_keys).__name__}: give a function of what 'keys' says."
        )
    lifetimes = minutes if isinstance(minutes, Mapping) else dict.fromkeys(providers, minutes)
    unknown = [name for name in lifetimes if name not in providers]
    if unknown:
        raise ConfigurationError(
            f"key_refresh_minutes has an entry for {unknown[0]!r}, but no provider has that name."
        )
    return {
        name: _provider(name, given, get_keys, _seconds(name, lifetimes.get(name)))
        for name, given in providers.items()
    }


def _seconds(name: Any, minutes: Any) -> float | None:
    if minutes is None:
        return None
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not minutes >= 0:
        raise ConfigurationError(
            f"key_refresh_minutes of {name!r} is {minutes!r:.80}: give minutes from 0 up."
        )
    return max(minutes * 60.0, 1.0)


def _provider(
    name: Any, given: Any, get_keys: Callable[[Any], Any] | None, lifetime: float | None
) -> Provider:
    called = name if isinstance(name, str) else str(name)
    if isinstance(given, Provider):
        return dataclasses.replace(given, name=called, keys=_keys_of(given, called, get_keys, lifetime))
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"Provider {name!r} is a {type(given).__name__}: give a Provider, or a mapping with issuer and "
            "audience."
        )
    unchecked = {"issuer": "dangerously_accept_any_issuer", "audience": "dangerously_accept_any_audience"}
    missing = [
        option for option, without in unchecked.items() if option not in given and not given.get(without)
    ]
    if missing:
        raise ConfigurationError(
            f"Provider {name!r} lacks {' and '.join(missing)}: write {{'issuer': the exact 'iss' of its "
            "tokens, 'audience': the 'aud' of those meant for this API, 'keys': its jwks_uri}."
        )
    _question_unknown(name, given)
    options: dict[str, Any] = {
        "profile": ANY_JWT,
        **{option: given[option] for option in _OF_PROVIDER if option in given},
    }
    keys = options.pop("keys", None)
    if get_keys is not None and not (isinstance(keys, str) and keys.startswith("http://")):
        # An http:// address is left as it is, to be refused: what it brings could be anybody's.
        keys = functools.partial(get_keys, keys)
    fetching = {
        "lifetime": lifetime,
        **{name: given[option] for option, name in _OF_FETCHING.items() if option in given},
    }
    issuer, audience = options.pop("issuer", None), options.pop("audience", None)
    return Provider(
        issuer, audience=audience, name=called, keys=keys_with(keys, called, **fetching), **options
    )


def _keys_of(given: Provider, called: str, get_keys: Callable[[Any], Any] | None, lifetime: Any) -> Any:
    """The keys of a `Provider`, by `get_keys` and for the lifetime that the middleware was given, if any."""
    remote = given.remote_keys
    if get_keys is None:
        return (
            given.keys if remote is None or lifetime is None else keys_with(remote, called, lifetime=lifetime)
        )
    asked = given.keys if not isinstance(given.keys, RemoteKeys) else given.keys.function or given.keys.url
    if lifetime is None and remote is not None:
        lifetime = remote.lifetime
    pins = None if remote is None else remote.pinned_thumbprints
    function = functools.partial(get_keys, asked)
    return keys_with(function, called, lifetime=lifetime, pinned_thumbprints=pins)


def _question_unknown(name: Any, given: Mapping[str, Any]) -> None:
    """An option that is misspelt would be a check that is not made."""
    for option in given.keys() - set(_OPTIONS):
        close = difflib.get_close_matches(str(option), _OPTIONS, n=1, cutoff=0.75)
        if close:
            raise ConfigurationError(f"Provider {name!r} has {option!r}: did you mean {close[0]!r}?")
        warn_caller(
            f"Provider {name!r} has {option!r}, which means nothing here: leave it out. "
            f"Known are {', '.join(_OPTIONS)}"
        )
