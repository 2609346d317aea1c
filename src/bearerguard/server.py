"""`ResourceServer`: decides whether a token, or the request that carries it, is accepted.

It knows its providers, a clock and where keys come from. It answers nobody: turning a refusal into an HTTP
answer is the doors' work.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, final

from bearerguard._core.credentials import bearer_token, encoded, is_one_token, several_tokens
from bearerguard._core.resource import check_resource
from bearerguard._flows.pipeline import Pipeline, Stages
from bearerguard._io.drive import Admission
from bearerguard._io.key_report import VERSION, entries_of, export, health_of, restore
from bearerguard._io.key_sources import key_source
from bearerguard._io.static_keys import StaticKeySource
from bearerguard.errors import AuthError, ConfigurationError, ProviderUnavailable
from bearerguard.observe import log_refusal
from bearerguard.provider import Provider
from bearerguard.request import BareHeaders, Headers, Incoming
from bearerguard.token import AccessToken

if TYPE_CHECKING:
    from bearerguard._io.remote_keys import RemoteKeySource

__all__ = ["Admission", "ResourceServer"]

_logger = logging.getLogger("bearerguard")


@final
class ResourceServer:
    """An OAuth 2.0 resource server (RFC 6749, section 1.1). Safe to share by threads and event loops.

    Args:
        providers: whom to trust. Where several have the same issuer, any of them that accepts will do.
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
                    f"{provider!r:.80} is not a Provider: write Provider(issuer, audience=...)."
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
        self._sources = {provider.name: key_source(provider, clock) for provider in providers}
        self._fetched: dict[str, RemoteKeySource] = {
            name: source for name, source in self._sources.items() if not isinstance(source, StaticKeySource)
        }
        for provider in providers:
            for sentence in provider.left_out:
                _logger.warning("provider %r: %s", provider.name, sentence)
        trusted = [(provider, self._sources[provider.name]) for provider in providers]
        self._pipeline = Pipeline(trusted, clock)
        if snapshot is not None:
            self._import_keys(snapshot)

    def __init_subclass__(cls) -> None:
        # A door asks one of several methods: a check that a subclass adds to some is left out by others.
        raise TypeError(
            "ResourceServer is not for subclassing: what more a token must fulfil is a rule, such as "
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
            log_refusal(error)
            raise
        return outcome if isinstance(outcome, AccessToken) else Admission(_logged(outcome)).wait()

    async def averify(self, token: str) -> AccessToken:
        """The same as `verify`; suspend the task, on asyncio or trio, where `verify` would block."""
        try:
            outcome = self._pipeline.admit(encoded(token))
        except AuthError as error:
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
            # What parts several tokens is in none that is accepted: only refused ones are searched for it.
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
        # All are asked before any is waited for.
        joined = [(name, source, source.join("missing")) for name, source in self._missing()]
        self._raise_failures({name: source.wait_for(refresh) for name, source, refresh in joined})

    async def awarm_up(self) -> None:
        """The same as `warm_up`, for a task."""
        joined = [(name, source, source.join("missing")) for name, source in self._missing()]
        self._raise_failures({name: await source.await_for(refresh) for name, source, refresh in joined})

    def health(self) -> dict[str, Any]:
        """Return, by provider, the state of its keys; plain values, ready for `json.dumps`.

        Example:
            ```python
            keys = server.health()["https://login.example"]
            ready = keys["state"] == "fresh"
            ```
        """
        now = self._clock()
        return {name: health_of(source, now) for name, source in self._sources.items()}

    def snapshot(self) -> dict[str, Any]:
        """Return the fetched key sets, ready for `json.dumps`, for `ResourceServer(..., snapshot=...)`.

        Only public keys are in it. Whoever can change the file can forge tokens: keep it as safe as code.
        """
        entries = {name: export(source) for name, source in self._fetched.items()}
        return {"version": VERSION, "providers": {name: entry for name, entry in entries.items() if entry}}

    def _import_keys(self, exported: Mapping[str, Any]) -> None:
        for name, entry in entries_of(exported).items():
            source = self._fetched.get(name)
            if source is None or not restore(source, entry, name):
                _logger.warning("exported keys of %r were not taken over: no such provider any more", name)

    def _missing(self) -> list[tuple[str, RemoteKeySource]]:
        now = self._clock()
        return [
            (name, source)
            for name, source in self._fetched.items()
            if source.key_set is None or now >= source.key_set.usable_until
        ]

    def _raise_failures(self, outcomes: Mapping[str, float | None]) -> None:
        failed = {name: retry_after for name, retry_after in outcomes.items() if retry_after is not None}
        if failed:
            reasons = [f"{name}: {self._why(name)}" for name in failed]
            raise ProviderUnavailable("No keys from " + "; ".join(reasons), retry_after=max(failed.values()))

    def _why(self, name: str) -> str:
        failure = self._fetched[name].last_failure
        return failure.message if failure is not None else "not fetched yet"


def _as_request(request: Incoming | Headers) -> Incoming:
    return request if hasattr(request, "values") and hasattr(request, "method") else BareHeaders(request)  # type: ignore[return-value]


def _logged(stages: Stages) -> Stages:
    try:
        return (yield from stages)
    except AuthError as error:
        log_refusal(error)
        raise
