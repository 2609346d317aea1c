"""What gives a server `revoke` and `arevoke`: from what a program names to an entry of the list.

A text is verified before it is revoked. It keeps no list: that is left to whoever it is written to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

from bearerguard._core.credentials import encoded
from bearerguard._core.denylist import Described, Entry, Kind, named, single
from bearerguard._core.issuer import is_well_formed
from bearerguard._flows.effects import WriteRevocation
from bearerguard._flows.revocation import described_of, name_of_issuer
from bearerguard._io.drive import Driven
from bearerguard._jose import base64url
from bearerguard._jose.json_object import decode_object
from bearerguard._limits import MAX_LEEWAY
from bearerguard.errors import AuthError, ConfigurationError, InvalidToken, ProviderUnavailable
from bearerguard.observe import Refusals, logger, warn_once
from bearerguard.token import AccessToken

if TYPE_CHECKING:
    from bearerguard._flows.jwt import Effect
    from bearerguard._flows.logout import Logouts
    from bearerguard._flows.pipeline import Pipeline
    from bearerguard._flows.places import Places
    from bearerguard._flows.revocation import Revoked
    from bearerguard._io.revocations import Revocations
    from bearerguard.provider import Provider
    from bearerguard.revocation import Revocation
    from bearerguard.stores.redis import RedisStore

__all__: list[str] = []


_NO_SESSIONS = (
    "a provider logs out by session (sid), and no access token that came here has a sid: nobody is logged "
    "out here; have the provider put sid into access tokens, or leave sid out of its logout tokens"
)


def revocations_of(
    revocation: object, clock: Callable[[], float], store: RedisStore | None, providers: Iterable[Provider]
) -> Revocations | None:
    """Return what keeps the revocations of a server; what does is loaded where there is one.

    Args:
        revocation: what the server was given.
        clock: seconds since 1970.
        store: what the processes share, if they do.
        providers: those of the server, for their leeway; none where a function names them.

    Raises:
        ConfigurationError: `revocation` is something else, or no thread can ask the store.
    """
    if revocation is None:
        return None
    from bearerguard._io.revocations import Revocations  # noqa: PLC0415 - keeps `import bearerguard` short
    from bearerguard.revocation import Revocation  # noqa: PLC0415 - as above

    if not isinstance(revocation, Revocation):
        raise ConfigurationError(f"revocation is a {type(revocation).__name__}: give Revocation().")
    if store is None:
        return Revocations(revocation, clock)
    from bearerguard._io.followed_revocations import FollowedRevocations  # noqa: PLC0415 - as above

    if not store.revocations.can_follow:
        raise ConfigurationError(
            "A thread follows the revocations in the store, and RedisStore has only an async client: give it "
            "client= as well, or a URL."
        )
    leeway = max((one.leeway for one in providers), default=MAX_LEEWAY)
    return FollowedRevocations(revocation, clock, store.revocations, leeway, store.timeout)


def revoked_by(revocations: Revocations | None) -> Revoked | None:
    """Return what the pipeline asks; None where nothing is ever revoked."""
    return None if revocations is None else revocations.revoked


class Revokes:
    """The half of a server that takes tokens back."""

    providers: tuple[Provider, ...]
    revocation: Revocation | None
    trusts: Callable[[Provider], bool]
    _clock: Callable[[], float]
    _pipeline: Pipeline
    _places: Places | None
    _revocations: Revocations | None
    _refusals: Refusals
    _check_open: Callable[[], None]

    def revoke(
        self,
        token: AccessToken | str | None = None,
        *,
        jti: str | None = None,
        subject: str | None = None,
        session: str | None = None,
        client: str | None = None,
        everything: bool = False,
        issuer: str | None = None,
        before: float | None = None,
    ) -> None:
        """Take back a token, or all that a subject, a session, a client or an issuer has so far.

        When it returns, every request that begins afterwards is refused here, with reason `revoked`; where a
        store is shared, within a second everywhere. In all other processes it is not known without one.

        Exactly one of the first six is given. Of many tokens those are refused that were issued up to this
        second: who logs in again in the same second logs in once more.

        Args:
            token: a verified token, or the text of one, which is verified; it may have expired.
            jti: the `jti` of a token.
            subject: a `sub`, whose tokens issued so far are refused.
            session: a `sid`, likewise.
            client: a `client_id`, likewise.
            everything: all tokens issued so far.
            issuer: whose token, subject, session or client it is, where the server has several issuers.
            before: refuse what was issued up to this time, in seconds since 1970, in place of now.

        Raises:
            ConfigurationError: not exactly one is given, the server has no `revocation`, or the token is of
                nobody whom it trusts, or is opaque and would outlive the horizon.
            ProviderUnavailable: it is not in force, as it could not be noted: try again.

        Examples:
            ```python
            server.revoke(token)
            server.revoke(subject="ada", issuer="https://login.example")
            ```
        """
        given = dict(zip(_ARGUMENTS, (token, jti, subject, session, client, everything), strict=True))
        Driven(self._revoking(given, issuer, before)).wait()

    async def arevoke(
        self,
        token: AccessToken | str | None = None,
        *,
        jti: str | None = None,
        subject: str | None = None,
        session: str | None = None,
        client: str | None = None,
        everything: bool = False,
        issuer: str | None = None,
        before: float | None = None,
    ) -> None:
        """The same as `revoke`, for a task."""
        given = dict(zip(_ARGUMENTS, (token, jti, subject, session, client, everything), strict=True))
        await Driven(self._revoking(given, issuer, before))

    def ended(self, token: AccessToken) -> InvalidToken:
        """Return why a token is good no longer that was accepted before, for whoever is still connected.

        Args:
            token: a token of which `seconds_left` says 0 or less.
        """
        return self._revoked_since(token) or InvalidToken("expired", "The token has expired.")

    def _left_unless_revoked(self, token: AccessToken, left: float | None) -> float | None:
        """The seconds after which to look again whether a token is still good, of those that it has left."""
        if self.revocation is None:
            return left
        if self._revoked_since(token) is not None:
            return 0.0
        soon = self.revocation.max_lag / 2
        return soon if left is None else min(left, soon)

    def _revoked_since(self, token: AccessToken) -> InvalidToken | None:
        """How a token is refused by what was heard by now, if it is. A look that never waits."""
        if self._revocations is None:
            return None
        try:
            self._revocations.list.refuse(described_of(token), self._clock())
        except InvalidToken as error:
            return error
        return None

    def log_out(self, logout_token: str, *, client_id: str, require_exp: bool = True) -> Driven[None]:
        """Verify a logout token (OpenID Connect Back-Channel Logout 1.0), and take back whom it names.

        For an endpoint of your own: `BackChannelLogout` is one for every door. The outcome's `wait()` blocks
        the thread, `await` suspends the task.

        Args:
            logout_token: what the provider sent.
            client_id: the client that the provider tells, which the token's `aud` has to name.
            require_exp: whether the token needs an `exp`.

        Raises:
            ConfigurationError: the server has no `revocation`.
            InvalidToken: by `wait` or `await`: it is refused.
            ProviderUnavailable: likewise: keys or the store are away, and the provider has to tell again.
        """
        self._check_open()
        kept = self._kept()
        from bearerguard._flows.logout import Logouts  # noqa: PLC0415 - keeps `import bearerguard` short

        logouts = Logouts(client_id, require_exp, self._clock, kept.list.naming, kept)
        return Driven(self._logging_out(logouts, kept, logout_token))

    def _logging_out(self, logouts: Logouts, kept: Revocations, text: str) -> Generator[Effect, Any, None]:
        try:
            logout, provider = yield from logouts.take(self._pipeline, encoded(text))
        except AuthError as error:
            error.facts = {}  # they are said of access tokens
            self._refusals.log(error)
            raise
        extra = {"provider": provider.name, "named_by": logout.kind}
        logger().info("logged out: provider=%s named_by=%s", provider.name, logout.kind, extra=extra)
        if logout.kind == "sid" and not kept.revoked.has_seen_sessions:
            warn_once(_NO_SESSIONS)

    def _kept(self) -> Revocations:
        if self._revocations is None:
            raise ConfigurationError(
                "This server takes nothing back: build it as ResourceServer(..., revocation=Revocation())."
            )
        return self._revocations

    def _revoking(self, arguments: dict[str, Any], issuer: Any, before: Any) -> Generator[Effect, Any, None]:
        self._check_open()
        kept = self._kept()
        argument, value = _only_one(arguments)
        if argument != "token":
            entry = self._of_name(argument, value, issuer, before)
        elif issuer is not None or before is not None:
            raise ConfigurationError(
                "revoke: a token says by itself who issued it, and is refused as a whole: leave issuer= and "
                "before= out."
            )
        else:
            described = (yield from self._of_text(value)) if isinstance(value, str) else self._of_token(value)
            kind, name = single(described)
            at = math.floor(self._clock())
            entry = Entry(named(kept.list.naming, kind, described.issuer, name), at)
        yield WriteRevocation(kept, entry)

    # -- one token -----------------------------------------------------------------------------------

    def _of_text(self, text: str) -> Generator[Effect, Any, Described]:
        """Verify a text, as far as it matters who issued it: it may have expired, or be bound to a key.

        Raises:
            ConfigurationError: nobody here has issued it.
            ProviderUnavailable: what would tell is away.
        """
        reason = "malformed"
        pipelines = (self._pipeline,) if self._places is None else self._places.pipelines
        for pipeline in pipelines:
            try:
                outcome = pipeline.unbound().admit(encoded(text))
                token = outcome if isinstance(outcome, AccessToken) else (yield from outcome)
            except ProviderUnavailable:
                raise
            except AuthError as error:
                reason = error.reason
                claims = _claims_in(text) if reason in _OF_TIME and error.provider is not None else None
                if claims is not None:  # its signature was checked
                    issuer = self._issuer_named(claims.get("iss"))
                    return Described(issuer, claims, None, text.encode(), is_opaque=False)
            else:
                return self._of_token(token)
        raise ConfigurationError(
            f"revoke is given the text of a token that is refused here anyway (reason {reason}): give one "
            "that this server accepts, or that has expired."
        )

    def _of_token(self, token: Any) -> Described:
        if not isinstance(token, AccessToken):
            raise ConfigurationError(
                f"revoke is given a {type(token).__name__}: give an AccessToken, or the text of a token."
            )
        if not self.trusts(token.provider):
            raise ConfigurationError("revoke is given a token that another server verified: ask that one.")
        self._check_life(token, self._clock())
        return described_of(token)

    def _check_life(self, token: AccessToken, now: float) -> None:
        """An opaque token whose age nobody knows has to end before its entry does."""
        assert self.revocation is not None  # noqa: S101 - as above
        ends = math.inf if token.expires_at is None else token.expires_at
        if token.is_opaque and token.issued_at is None and ends > now + self.revocation.horizon:
            raise ConfigurationError(
                "revoke is given an opaque token of which its provider does not say when it was issued, and "
                "which may live for longer than the horizon: revoke it at its provider (RFC 7009)."
            )

    # -- many tokens ---------------------------------------------------------------------------------

    def _of_name(self, argument: str, value: Any, issuer: str | None, before: float | None) -> Entry:
        kind = _KINDS[argument]
        text = "" if argument == "everything" else value
        if not isinstance(text, str) or (argument != "everything" and not text):
            raise ConfigurationError(f"revoke: {argument} is {value!r:.80}: give the text of the claim.")
        whose = self._issuer_named(issuer)
        try:
            name = named(self._kept().list.naming, kind, whose, text)
        except ValueError:
            raise ConfigurationError(
                f"revoke: {argument} has half a character (a lone surrogate), which no token has."
            ) from None
        return Entry(name, self._up_to(argument, before))

    def _up_to(self, argument: str, before: Any) -> int:
        now = self._clock()
        if before is None:
            return math.floor(now)
        if argument == "jti":
            raise ConfigurationError(
                "revoke: jti names one token, which is refused as a whole: leave before= out."
            )
        if before.__class__ not in (int, float) or not math.isfinite(before):
            raise ConfigurationError(f"revoke: before is {before!r:.80}: give seconds since 1970.")
        if before > now:
            raise ConfigurationError(
                f"revoke: before lies {before - now:.0f} s ahead: give a time that has passed, or none."
            )
        return math.floor(before)

    def _issuer_named(self, given: Any) -> str:
        """The name of an issuer of this server, under which its tokens are revoked."""
        if given is None:
            return self._only_issuer()
        if not isinstance(given, str):
            raise ConfigurationError(f"revoke: issuer is a {type(given).__name__}: give its URL as text.")
        if not self.providers:
            if not is_well_formed(given):  # a slip, which would revoke nothing
                raise ConfigurationError(
                    f"revoke: issuer is {given!r:.200}, which no token that is accepted here has: give the "
                    "issuer's URL as it stands in iss, such as 'https://login.example'."
                )
            return given
        for provider in self.providers:
            template = provider.issuer_template
            if template is not None:
                if template.fits(given):
                    return given
            elif given in (provider.issuer, provider.trust_domain, *provider.issuer_aliases):
                return name_of_issuer(provider, given)
        if any(provider.issuer is None for provider in self.providers):
            return ""
        raise ConfigurationError(f"revoke: issuer is {given!r:.200}, but no provider of this server has it.")

    def _only_issuer(self) -> str:
        names = {name_of_issuer(provider, None) for provider in self.providers}
        if len(names) != 1 or any(provider.issuer_template is not None for provider in self.providers):
            raise ConfigurationError(
                "revoke: this server trusts several issuers, and each has names of its own: say whose it is "
                "with issuer='https://login.example'."
            )
        return names.pop()


def _claims_in(text: str) -> dict[str, Any] | None:
    """The claims of a JWT that was verified; None where they are not written as JWTs have them."""
    try:
        return decode_object(base64url.decode(text.encode().split(b".")[1]))
    except ValueError:  # as a load balancer writes them, with padding
        return None


def _only_one(arguments: dict[str, Any]) -> tuple[str, Any]:
    """Return the one thing that was given, with the name of its argument."""
    everything = arguments["everything"]
    if everything.__class__ is not bool:
        raise ConfigurationError(f"revoke: everything is {everything!r:.80}: give True, or leave it out.")
    given = [(name, value) for name, value in arguments.items() if value is not None and value is not False]
    if len(given) != 1:
        names = " and ".join(name for name, _ in given)
        raise ConfigurationError(
            "revoke takes exactly one of a token (or its text), jti=, subject=, session=, client= and "
            f"everything=True: {names or 'nothing'} was given."
        )
    return given[0]


_ARGUMENTS: tuple[str, ...] = ("token", "jti", "subject", "session", "client", "everything")
_KINDS: dict[str, Kind] = {
    "jti": "jti",
    "subject": "sub",
    "session": "sid",
    "client": "client",
    "everything": "all",
}
_OF_TIME = ("expired", "not_yet_valid")
"""Why a token is refused that was accepted once, or will be."""
