"""`ResourceServer`: decides whether a token, or the request that carries it, is accepted.

It knows its providers, a clock and where keys come from. It answers nobody: turning a refusal into an HTTP
answer is the doors' work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Self, cast, final

from bearerguard._core.credentials import bearer_token, encoded, is_one_token, several_tokens
from bearerguard._core.resource import check_resource
from bearerguard._flows.pipeline import Pipeline, Stages
from bearerguard._io.drive import Admission
from bearerguard._io.key_sources import KeySources, closed
from bearerguard._limits import FETCH_TIMEOUT
from bearerguard.errors import AuthError, ConfigurationError
from bearerguard.observe import log_refusal
from bearerguard.provider import Provider
from bearerguard.request import BareHeaders, Headers, Incoming
from bearerguard.token import REMEMBERED, AccessToken

__all__ = ["Admission", "ResourceServer", "limit_verdict_memory"]


@final
class ResourceServer:
    """An OAuth 2.0 resource server (RFC 6749, section 1.1). Safe to share by threads and event loops.

    Args:
        providers: the issuers to trust. Where several have the same issuer, any of them that accepts will do.
        resource: the URL of this API as its clients know it, `"https://api.example/v1"`. With it, the API
            publishes its metadata (RFC 9728), and challenges point there. It is never taken from a request.
        clock: seconds since 1970; claims and the age of keys are judged by it.
        snapshot: what `snapshot()` returned in an earlier process.

    Raises:
        ConfigurationError: no provider, two of one name, options that cannot be used, a snapshot that is not
            one.

    Example:
        ```python
        server = ResourceServer(Provider("https://login.example", audience="https://api.example"))
        token = server.verify(text)
        token = await server.averify(text)
        ```

    It may be closed where a program goes on without it: `close`, `aclose`, `with`, `async with`.
    """

    def __init__(
        self,
        *providers: Provider,
        resource: str | None = None,
        clock: Callable[[], float] = time.time,
        snapshot: Mapping[str, Any] | None = None,
    ) -> None:
        if not providers:
            raise ConfigurationError("A ResourceServer needs a provider: ResourceServer(Provider(...)).")
        for provider in providers:
            if not isinstance(provider, Provider):
                raise ConfigurationError(
                    f"a {type(provider).__name__} is not a Provider: write Provider(issuer, audience=...)."
                )
        names = [provider.name for provider in providers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigurationError(
                f"Two providers are called {twice[0]!r}: give each a name=... of its own."
            )
        if resource is not None:
            check_resource(resource)
        self.providers = providers
        self.resource = resource
        self._clock = clock
        self._keys = KeySources(clock, defers=snapshot is not None)
        self._pipeline = Pipeline([(provider, self._keys.add(provider)) for provider in providers], clock)
        if snapshot is not None:
            self._keys.restore(snapshot)

    def __init_subclass__(cls) -> None:
        # A door asks one of several methods: a check that a subclass adds to some is left out by others.
        raise TypeError(
            "ResourceServer is not for subclassing: write what more a token must fulfil as a rule, such as "
            "claim('jti', lambda jti: jti not in revoked)."
        )

    def __repr__(self) -> str:
        return f"ResourceServer({', '.join(repr(provider.name) for provider in self.providers)})"

    # -- tokens --------------------------------------------------------------------------------------

    def verify(self, token: str) -> AccessToken:
        """Return the verified token; block the thread in the rare case that keys have to be waited for.

        Args:
            token: the text of the token, without the scheme.

        Raises:
            InvalidToken: the token is refused; `reason` says why.
            ProviderUnavailable: what the check needs from the provider is unavailable right now.
        """
        try:
            outcome = self._pipeline.admit(encoded(token))
        except AuthError as error:
            self._check_open()
            log_refusal(error)
            raise
        return outcome if isinstance(outcome, AccessToken) else Admission(_logged(outcome)).wait()

    async def averify(self, token: str) -> AccessToken:
        """The same as `verify`; suspend the task, on asyncio or trio, where `verify` would block."""
        try:
            outcome = self._pipeline.admit(encoded(token))
        except AuthError as error:
            self._check_open()
            log_refusal(error)
            raise
        return outcome if isinstance(outcome, AccessToken) else await Admission(_logged(outcome))

    # -- requests ------------------------------------------------------------------------------------

    def authenticate(self, request: Incoming | Headers) -> AccessToken:
        """Return the verified token that a request carries.

        Args:
            request: a `Request`, or a door's view of one. Bare header fields will do (pairs of bytes, names
                in lower case, as in ASGI), but then nothing can be checked that needs more of a request, and
                a token that asks for it is refused.

        Raises:
            MissingCredentials: there is no bearer token.
            InvalidRequest: there is more than one, or it is not written as RFC 6750 section 2.1 says.
            InvalidToken: the token is refused.
            ProviderUnavailable: what the check needs from the provider is unavailable right now.

        Example:
            ```python
            token = server.authenticate(Request("GET", "https://api.example/orders", headers))
            ```
        """
        outcome = self.admit(_as_request(request))
        return outcome if isinstance(outcome, AccessToken) else outcome.wait()

    async def aauthenticate(self, request: Incoming | Headers) -> AccessToken:
        """The same as `authenticate`, for a task."""
        outcome = self.admit(_as_request(request))
        return outcome if isinstance(outcome, AccessToken) else await outcome

    def admit(self, request: Incoming) -> AccessToken | Admission:
        """The same as `authenticate`, for doors: where something has to be waited for, return what does that.

        The outcome's `wait()` blocks the thread, `await` suspends the task; either may be used, once.

        Raises:
            AuthError: as `authenticate`, except `ProviderUnavailable`.
        """
        raw = b""
        try:
            raw = bearer_token(request.values(b"authorization"))
            outcome = self._pipeline.admit(raw, request)
        except AuthError as error:
            self._check_open()
            # An accepted token contains nothing that separates two: only refused ones are searched for it.
            if error.reason != "too_large" and not is_one_token(raw):
                raise log_refusal(several_tokens()) from None
            log_refusal(error)
            raise
        return outcome if isinstance(outcome, AccessToken) else Admission(_logged(outcome))

    # -- keys ----------------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Fetch all keys that are not in memory, for a start script or a readiness probe.

        Raises:
            ProviderUnavailable: where some could not be fetched; the message names each and says why.
        """
        self._keys.warm_up()

    async def awarm_up(self) -> None:
        """The same as `warm_up`, for a task."""
        await self._keys.awarm_up()

    def health(self) -> dict[str, Any]:
        """Return the state of what the server asks others for; plain values, ready for `json.dumps`.

        Example:
            ```python
            keys = server.health()["providers"]["https://login.example"]
            ready = keys["state"] == "fresh"
            ```
        """
        return {"providers": self._keys.health()}

    def snapshot(self) -> dict[str, Any]:
        """Return the fetched key sets, ready for `json.dumps`, for `ResourceServer(..., snapshot=...)`.

        Only public keys are in it. Anyone who can change the file can forge tokens: keep it as safe as code.
        """
        return self._keys.snapshot()

    # -- the providers' metadata ---------------------------------------------------------------------

    def known_metadata(self, provider: str) -> Mapping[str, Any] | None:
        """Return the metadata of a provider's issuer (RFC 8414), as far as they are in memory. Never waits.

        Args:
            provider: the name of the provider.
        """
        source = self._keys.metadata_of(provider)
        return None if source is None else source.known

    def metadata(self, provider: str, *, seconds: float = FETCH_TIMEOUT) -> Mapping[str, Any] | None:
        """Return the metadata of a provider's issuer (RFC 8414), None where they cannot be had.

        They are fetched once and kept. An issuer is not asked where the provider's keys were given as an
        object or by a function, nor for half a minute after it has failed.

        Args:
            provider: the name of the provider.
            seconds: after which nobody waits any longer; the issuer may go on answering.
        """
        source = self._keys.metadata_of(provider)
        return None if source is None else source.wait(seconds)

    async def ametadata(self, provider: str, *, seconds: float = FETCH_TIMEOUT) -> Mapping[str, Any] | None:
        """The same as `metadata`, for a task."""
        source = self._keys.metadata_of(provider)
        return None if source is None else await source.wait_async(seconds)

    # -- the end -------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the fetches that no other server needs, with their connections; using the server is an error.

        Blocks nobody, and may be called more than once. Requests that wait get `ProviderUnavailable`.
        """
        self._pipeline = cast("Pipeline", _Closed())
        self._keys.close()

    async def aclose(self) -> None:
        """The same as `close`, for a task."""
        self.close()

    def _check_open(self) -> None:
        # Asked only where a request is refused: of one without a token, what verifies is never asked.
        if isinstance(self._pipeline, _Closed):
            raise closed() from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def limit_verdict_memory(max_bytes: int) -> None:
    """Bound what all servers of this process together remember of verified tokens; 16 MiB by default.

    What was remembered so far is forgotten, which costs one signature check for each token.

    Args:
        max_bytes: 0 remembers nothing.

    Raises:
        ConfigurationError: not a number of bytes from 0 up.

    Example:
        ```python
        limit_verdict_memory(64 * 1024 * 1024)
        ```
    """
    if max_bytes.__class__ is not int or max_bytes < 0:
        raise ConfigurationError(
            f"limit_verdict_memory is given {max_bytes!r:.80}: give a number of bytes from 0 up."
        )
    REMEMBERED.limit(max_bytes)


class _Closed:
    """Takes the place of what verifies, so that no request has to ask whether the server is open."""

    def admit(self, *_: object) -> NoReturn:
        raise closed()


def _as_request(request: Incoming | Headers) -> Incoming:
    return request if hasattr(request, "values") and hasattr(request, "method") else BareHeaders(request)  # type: ignore[return-value]


def _logged(stages: Stages) -> Stages:
    try:
        return (yield from stages)
    except AuthError as error:
        log_refusal(error)
        raise
