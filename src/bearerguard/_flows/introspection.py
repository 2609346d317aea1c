"""What providers say of tokens that only they can read: another way to a verdict, beside `jwt`.

A verdict about such a token holds for the provider's revocation budget, and never past `exp`. Refusals that
would be the same again are remembered shortly, each provider's in a memory of its own, so that junk pushes no
good token out. Trouble is never remembered, and is never a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any, ClassVar, TypeVar

from msgspec import Struct

from bearerguard._core.claims import ClaimsSet
from bearerguard._core.confirmation import read_confirmation
from bearerguard._core.fingerprint import fingerprint
from bearerguard._core.generations import Generations
from bearerguard._core.introspection_answer import NOT_REMEMBERED, AnswerCheck, agreed, compose_answer_check
from bearerguard._core.shared_bound import weight_of
from bearerguard._core.token_kind import refuse_other_kinds
from bearerguard._flows.effects import Answered, AnswerSource, AskIntrospection, KeySource, Unanswered
from bearerguard._flows.jwt import Deciding, Verdict, Verifier, facts_in
from bearerguard._jose import base64url
from bearerguard._jose.hashing import sha256_of
from bearerguard._jose.json_object import decode_object
from bearerguard._jose.jws import Header
from bearerguard._jose.key_set import KeyIndex, KeySet
from bearerguard._limits import (
    CONFIRMATION_BYTES,
    INACTIVE_REMEMBERED,
    KEPT_CLAIMS_BYTES,
    REMEMBERED_REFUSALS,
    VERDICT_BYTES,
)
from bearerguard.errors import AuthError, ConfigurationError, InvalidToken, ProviderUnavailable
from bearerguard.provider import Provider
from bearerguard.token import kept_of

E = TypeVar("E", bound=AuthError)

_NO_KEYS = KeySet(KeyIndex(()))
_B64TOKEN = rb"[A-Za-z0-9._~+/-]+=*"
"""RFC 6750, section 2.1."""


class NoKeys:
    """Where the keys of a verdict are that no key was needed for: nothing ever changes about them."""

    key_set: KeySet | None = _NO_KEYS

    def refresh_ahead(self, now: float) -> None:
        """Do nothing: there is nothing to refresh."""


_NOWHERE = NoKeys()


class AnsweredVerdict(Verdict, gc=False):
    """A verdict about a token of which nothing was verified here."""

    is_opaque: ClassVar[bool] = True


class Signed(Struct, frozen=True):
    """What was verified of a JWT here, before its provider is asked about it."""

    claims: ClaimsSet
    verdict: Verdict


class Refused(Struct, frozen=True):
    """A refusal that is remembered. Times are seconds since 1970."""

    reason: str
    description: str
    since: float
    until: float


class Introspector:
    """A provider that is asked, its checks, and what it refused lately.

    Args:
        provider: one with introspection.
        source: which asks.
        clock: seconds since 1970.
    """

    def __init__(self, provider: Provider, source: AnswerSource, clock: Callable[[], float]) -> None:
        introspection = provider.introspection
        assert introspection is not None  # noqa: S101 - only such a provider is asked
        self.provider = provider
        self.prefix = introspection.token_prefix
        self.jwts = introspection.jwts
        self.clock = clock
        self._source = source
        self._budget = introspection.revocation_budget
        self._refuses_other_kinds = provider.profile.refuses_other_kinds
        self._check = _check_of(provider, refuses_other_kinds=self._refuses_other_kinds)
        self._check_agreed = _check_of(provider, refuses_other_kinds=False)
        self._refusals: Generations[bytes, Refused] = Generations(REMEMBERED_REFUSALS // 2)

    def refused(self, digest: bytes, now: float) -> InvalidToken | None:
        """Return how a token was refused a moment ago, if it was. A look that never waits."""
        refused = self._refusals.get(digest)
        if refused is None or not refused.since <= now < refused.until:
            return None
        return self._named(InvalidToken(refused.reason, refused.description))

    def decide(self, token: bytes, digest: bytes, signed: Signed | None = None) -> Deciding:
        """Ask about a token and come to a verdict.

        Args:
            token: its text.
            digest: the SHA-256 of it.
            signed: what was verified of it here, of a JWT.

        Raises:
            AuthError: it is refused, or the provider did not answer.
        """
        refused = self.refused(digest, self.clock())
        if refused is not None:
            raise refused
        answer: Answered | Unanswered = yield AskIntrospection(self._source, token, digest)
        now = self.clock()
        if isinstance(answer, Unanswered):
            raise self._named(
                ProviderUnavailable(
                    "The token's issuer cannot be asked about it right now.", retry_after=answer.retry_after
                )
            )
        asked_at = now if answer.asked_at is None else answer.asked_at
        try:
            claims = self._judged(answer.claims, signed, now)
        except InvalidToken as error:
            if error.reason not in NOT_REMEMBERED:
                until = asked_at + INACTIVE_REMEMBERED
                self._refusals.put(digest, Refused(error.reason, error.description, now, until))
            if answer.claims is not None:  # of a token that is not active nothing is read
                error.facts = facts_in(answer.claims, self.provider, error.reason)
            raise self._named(error) from None
        return self._verdict(claims, signed, token, now, asked_at)

    def _judged(self, answered: ClaimsSet | None, signed: Signed | None, now: float) -> ClaimsSet:
        """The claims of a token that is accepted."""
        if answered is None:
            raise InvalidToken("inactive", INACTIVE)
        if signed is None:
            self._check(answered, now)
            return answered
        claims = agreed(signed.claims, answered, self.provider.audience_claim)
        self._check_agreed(claims, now)
        if self._refuses_other_kinds:
            refuse_other_kinds(answered)
        return claims

    def _verdict(
        self, claims: ClaimsSet, signed: Signed | None, token: bytes, now: float, asked_at: float
    ) -> Verdict:
        kept = kept_of(claims)
        weight = VERDICT_BYTES + KEPT_CLAIMS_BYTES + weight_of(claims) + weight_of(kept.containers)
        cnf = claims.get("cnf")
        confirmation = None if cnf is None else read_confirmation(cnf)
        if confirmation is not None:
            weight += CONFIRMATION_BYTES
        expires = claims.get("exp")
        until = min(asked_at + self._budget, inf if expires is None else expires)
        kind: type[Verdict] = AnsweredVerdict
        source: KeySource = _NOWHERE
        keys = _NO_KEYS.keys
        # Of a token that has no signature nearly nothing may be kept: what is kept of it is nearly the token.
        known = token[:1]
        if signed is None:
            digest: bytes = fingerprint(token[1:]).digest()
        else:
            verdict, known = signed.verdict, b""
            kind, source, keys, digest = Verdict, verdict.source, verdict.keys, verdict.digest
            until = min(until, verdict.until)
        return kind(
            self.provider,
            weight,
            kept,
            confirmation,
            now,
            until,
            source,
            keys,
            digest,
            may_be_kept=now < until,
            known=known,
        )

    def _named(self, error: E) -> E:
        error.provider = self.provider.name
        return error


INACTIVE = "The token is not active: it has expired, was revoked, or was never issued."


def _names_of(issuer: str | None, aliases: tuple[str, ...]) -> tuple[str, ...]:
    """All that a provider's issuer may be called; nothing where any issuer is accepted."""
    return () if issuer is None else (issuer, *aliases)


def _check_of(provider: Provider, *, refuses_other_kinds: bool) -> AnswerCheck:
    introspection = provider.introspection
    return compose_answer_check(
        issuers=_names_of(provider.issuer, provider.issuer_aliases),
        leeway=provider.leeway,
        audiences=None if provider.dangerously_accept_any_audience else provider.audiences,
        audience_claim=provider.audience_claim,
        audience_checked_by_issuer=introspection is not None and introspection.audience_checked_by_issuer,
        required_values=provider.required_values,
        refuses_other_kinds=refuses_other_kinds,
    )


class VerifyThenAsk(Struct, frozen=True):
    """A provider whose JWTs are verified here first, and then asked about."""

    verifier: Verifier
    introspector: Introspector

    @property
    def provider(self) -> Provider:
        """Whose tokens these are."""
        return self.verifier.provider

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds since 1970."""
        return self.verifier.clock

    def decide(  # noqa: PLR0917 - as `JwtVerifier.decide`
        self,
        header: Header,
        claims: ClaimsSet | None,
        payload: bytes,
        signing_input: bytes,
        signature: bytes,
        digest: bytes,
        now: float,
    ) -> Deciding:
        """Decide as `JwtVerifier.decide`; what it accepts is asked about."""
        outcome = self.verifier.decide(header, claims, payload, signing_input, signature, digest, now)
        token = signing_input + b"." + base64url.encode(signature)  # of which there is one text
        return self._then_ask(outcome, token, payload)

    def _then_ask(self, outcome: Verdict | Deciding, token: bytes, payload: bytes) -> Deciding:
        verdict = outcome if isinstance(outcome, Verdict) else (yield from outcome)
        signed = Signed(decode_object(payload), verdict)
        try:
            return (yield from self.introspector.decide(token, sha256_of(token), signed))
        except AuthError as error:
            told = {name: value for name, value in error.facts.items() if value is not None}
            error.facts = {**facts_in(signed.claims, self.provider, error.reason), **told}
            raise


class OpaqueTokens:
    """The providers of a server that are asked about tokens, and which of them about which token.

    Args:
        introspectors: in the order of configuration.
    """

    def __init__(self, introspectors: Iterable[Introspector]) -> None:
        self._all = tuple(introspectors)
        self._by_issuer: dict[str, tuple[Introspector, ...]] = {}
        for one in self._all:
            if one.jwts == "ask":
                for issuer in _names_of(one.provider.issuer, one.provider.issuer_aliases):
                    self._by_issuer[issuer] = (*self._by_issuer.get(issuer, ()), one)

    def asks_about(self, issuer: object) -> bool:
        """Whether the JWTs of an issuer are not verified here, but asked about."""
        return issuer.__class__ is str and issuer in self._by_issuer

    def whom_to_ask(self, token: bytes, issuer: Any) -> tuple[Introspector, ...]:
        """Return the providers to ask about a token, the first first.

        A JWT of a provider's issuer is asked of that provider only. For any other token those are chosen
        whose prefix it has, and those without one.

        Args:
            token: its text.
            issuer: what it says of its issuer, of a JWT.

        Raises:
            InvalidToken: it is none that a provider could have issued.
        """
        if not re.fullmatch(_B64TOKEN, token):
            raise InvalidToken("malformed", "The token has characters that no token has.")
        if issuer.__class__ is str and issuer in self._by_issuer:
            return self._by_issuer[issuer]
        text = token.decode()
        chosen = tuple(one for one in self._all if one.prefix is None or text.startswith(one.prefix))
        if not chosen:
            raise InvalidToken("malformed", "The token is neither a JWT nor one that any provider issues.")
        return chosen

    @staticmethod
    def refuse_again(askers: Iterable[Introspector], digest: bytes, now: float) -> None:
        """Refuse a token that all who would be asked refused a moment ago. A look that never waits.

        Raises:
            InvalidToken: as then.
        """
        refusals: list[InvalidToken] = []
        for one in askers:
            refused = one.refused(digest, now)
            if refused is None:
                return
            refusals.append(refused)
            if refused.reason != "inactive":
                break
        raise refusals[-1]

    @staticmethod
    def decide(askers: Iterable[Introspector], token: bytes, digest: bytes) -> Deciding:
        """Ask one after the other, until one knows the token.

        Raises:
            AuthError: the first who knows it refuses it; or nobody knows it, and all were asked; or one was
                in trouble, and might know it.
        """
        inactive: InvalidToken | None = None
        trouble: ProviderUnavailable | None = None
        for one in askers:
            try:
                return (yield from one.decide(token, digest))
            except ProviderUnavailable as error:
                trouble = trouble or error
            except InvalidToken as error:
                if error.reason != "inactive":
                    raise
                inactive = error
        raise trouble or inactive or InvalidToken("inactive", INACTIVE)


def introspectors_of(
    providers: Iterable[Provider], sources: Mapping[str, AnswerSource], clock: Callable[[], float]
) -> dict[str, Introspector]:
    """Return those of the providers that have introspection, by name.

    Raises:
        ConfigurationError: of two providers of one issuer only one is asked about its JWTs.
    """
    providers = tuple(providers)
    found = {one.name: Introspector(one, sources[one.name], clock) for one in providers if one.introspection}
    asks = [one.provider for one in found.values() if one.jwts == "ask"]
    asked = {issuer for one in asks for issuer in (one.issuer, *one.issuer_aliases)}
    for one in providers:
        if one not in asks and not asked.isdisjoint((one.issuer, *one.issuer_aliases)):
            raise ConfigurationError(
                f"Provider {one.name!r} has the issuer of another one that is asked about its JWTs, and "
                "would verify them: give both an Introspection with jwts='ask', or neither."
            )
    return found
