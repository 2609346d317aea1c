"""`ResourceServer`: decides whether a token, or the request that carries it, is accepted.

It knows its providers, a clock and where keys come from. It answers nobody: turning a refusal into an HTTP
answer is the doors' work.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, final

from bearerguard._core.credentials import Headers, bearer_token, encoded, is_one_token, several_tokens
from bearerguard._flows.effects import WaitForKeys
from bearerguard._flows.verification import Flow, Verifier, verification
from bearerguard._io.drive import Waiting
from bearerguard._io.key_report import VERSION, entries_of, export, health_of, restore
from bearerguard._io.key_sources import key_source
from bearerguard._io.static_keys import StaticKeySource
from bearerguard.errors import AuthError, ConfigurationError, ProviderUnavailable
from bearerguard.provider import Provider
from bearerguard.token import AccessToken

if TYPE_CHECKING:
    from bearerguard._io.remote_keys import RemoteKeySource

E = TypeVar("E", bound=AuthError)

_logger = logging.getLogger("bearerguard")


@final
class ResourceServer:
    """An OAuth 2.0 resource server (RFC 6749, section 1.1). Safe to share by threads and event loops.

    Args:
        providers: whom to trust. Where several have the same issuer, any of them that accepts will do.
        clock: seconds since 1970; claims and the age of keys are judged by it.
        snapshot: what `snapshot()` returned in an earlier process.

    Raises:
        ConfigurationError: no provider, two of one name, options that cannot be used, keys that were not
            exported.

    Example:
        >>> server = ResourceServer(Provider("https://login.example", audience="https://api.example"))
        >>> token = server.verify(text)  # doctest: +SKIP
        >>> token = await server.averify(text)  # doctest: +SKIP
    """

    def __init__(
        self,
        *providers: Provider,
        clock: Callable[[], float] = time.time,
        snapshot: Mapping[str, Any] | None = None,
    ) -> None:
        if not providers:
            raise ConfigurationError("A ResourceServer needs a provider: ResourceServer(Provider(...)).")
        for provider in providers:
            if not isinstance(provider, Provider):
                raise ConfigurationError(
                    f"{provider!r:.80} is no Provider: write Provider(issuer, audience=...)."
                )
        names = [provider.name for provider in providers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigurationError(
                f"Two providers are called {twice[0]!r}: give each a name=... of its own."
            )
        self.providers = providers
        self._clock = clock
        self._sources = {provider.name: key_source(provider, clock) for provider in providers}
        self._fetched: dict[str, RemoteKeySource] = {
            name: source for name, source in self._sources.items() if not isinstance(source, StaticKeySource)
        }
        self._verifier = Verifier((provider, self._sources[provider.name]) for provider in providers)
        if snapshot is not None:
            self._import_keys(snapshot)

    def __init_subclass__(cls) -> None:
        # A door asks one of several methods: a check that a subclass adds to some is left out by others.
        raise TypeError(
            "ResourceServer is not for subclassing: what more a token must fulfil is a rule, such as "
            "claim('jti', lambda jti: jti not in revoked)."
        )

    # -- tokens --------------------------------------------------------------------------------------

    def verify(self, token: str) -> AccessToken:
        """Return the verified token; block the thread in the rare case that keys have to be waited for.

        Args:
            token: the text of the token, without the scheme.

        Raises:
            InvalidToken: the token is refused; `reason` says why.
            ProviderUnavailable: the keys that the check needs cannot be had at the moment.
        """
        try:
            raw = encoded(token)
            outcome = self._verifier.attempt(raw, self._clock())
        except AuthError as error:
            log_refusal(error)
            raise
        return outcome if isinstance(outcome, AccessToken) else self._waiting(raw, outcome).wait()

    async def averify(self, token: str) -> AccessToken:
        """The same as `verify`; suspend the task, on asyncio or trio, where `verify` would block."""
        try:
            raw = encoded(token)
            outcome = self._verifier.attempt(raw, self._clock())
        except AuthError as error:
            log_refusal(error)
            raise
        return outcome if isinstance(outcome, AccessToken) else await self._waiting(raw, outcome)

    def _waiting(self, raw: bytes, wanted: WaitForKeys) -> Waiting:
        return Waiting(_logged(verification(self._verifier, raw, wanted, self._clock)))

    # -- requests ------------------------------------------------------------------------------------

    def authenticate(self, headers: Headers) -> AccessToken:
        """Return the verified token that a request carries.

        Args:
            headers: name and value of each header field, as bytes, names in lower case, as in ASGI.

        Raises:
            MissingCredentials: there is no bearer token.
            InvalidRequest: there is more than one, or it is not put as RFC 6750 section 2.1 says.
            InvalidToken: the token is refused.
            ProviderUnavailable: the keys that the check needs cannot be had at the moment.
        """
        outcome = self.attempt(headers)
        return outcome if isinstance(outcome, AccessToken) else outcome.wait()

    async def aauthenticate(self, headers: Headers) -> AccessToken:
        """The same as `authenticate`, for a task."""
        outcome = self.attempt(headers)
        return outcome if isinstance(outcome, AccessToken) else await outcome

    def attempt(self, headers: Headers) -> AccessToken | Waiting:
        """The same as `authenticate`, for doors: where keys have to be waited for, return what does that.

        Raises:
            AuthError: as `authenticate`, except `ProviderUnavailable`.
        """
        raw = b""
        try:
            raw = bearer_token(headers)
            outcome = self._verifier.attempt(raw, self._clock())
        except AuthError as error:
            # What parts several tokens is in none that is accepted: it is looked for in refused ones alone.
            if error.reason != "too_large" and not is_one_token(raw):
                raise log_refusal(several_tokens()) from None
            log_refusal(error)
            raise
        return outcome if isinstance(outcome, AccessToken) else self._waiting(raw, outcome)

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
            >>> keys = server.health()["https://login.example"]  # doctest: +SKIP
            >>> keys["state"]  # doctest: +SKIP
            'fresh'
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


def _logged(flow: Flow) -> Flow:
    try:
        return (yield from flow)
    except AuthError as error:
        log_refusal(error)
        raise


def log_refusal(error: E) -> E:
    """Tell operators why a request was refused, with nothing in it that was not verified but the key id."""
    if not _logger.isEnabledFor(logging.INFO):
        return error
    kid = None if error.kid is None else ascii(error.kid[:64])
    _logger.info(
        "refused: reason=%s provider=%s kid=%s",
        error.reason,
        error.provider,
        kid,
        # Not `provider`: `bearerguard.logging.TokenFilter` sets that one, of a verified token alone.
        extra={"reason": error.reason, "refused_by": error.provider, "kid": kid},
    )
    return error
