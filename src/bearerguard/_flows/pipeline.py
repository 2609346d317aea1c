"""The one pipeline: from the text of a token to an `AccessToken`, or to the refusal that says why not.

Two things are told apart. A *verdict* is who signed what: it may be remembered. An *admission* is whether
this request may use the token: it is judged each time, also where the verdict was remembered. The stages are
entered once each, in this order: verdict (`jwt`, or `introspection` of a token that only its provider can
read), revocation (`revocation`), binding (`binding`): a proof is used up only by a token that is accepted.

`Pipeline.admit` is the common case, a plain function: with the keys in memory it decides at once. Where it
cannot, it returns the flow of the stages that are left. Trust goes one way: `iss` chooses among the
configured providers, and only their keys are tried; nothing in a token names a key, an address or an
algorithm that configuration did not allow first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from bearerguard._core.claims import ClaimsSet
from bearerguard._core.credentials import BEARER, token_behind
from bearerguard._core.fingerprint import fingerprint
from bearerguard._core.generations import Generations
from bearerguard._core.shared_bound import SharedBound, WeighedGenerations
from bearerguard._flows.binding import ANYBODY, Binding, Noting, Presented
from bearerguard._flows.effects import AnswerSource, KeySource
from bearerguard._flows.jwt import (
    NOT_TRUSTED,
    Deciding,
    Effect,
    Verdict,
    is_usable,
    unread_issuer,
)
from bearerguard._flows.trust import AnyVerifier, speaks_for, trust_in
from bearerguard._jose import base64url
from bearerguard._jose.hashing import sha256_of
from bearerguard._jose.jose_error import JoseError
from bearerguard._jose.json_object import decode_small_object
from bearerguard._jose.jws import Header, parse_header, split, unreadable
from bearerguard._limits import (
    CACHED_HEADERS,
    HASHED_AT_ONCE,
    MAX_CACHED_HEADER_BYTES,
    MAX_TOKEN_BYTES,
    SIGNATURE_CHARACTERS_KEPT,
)
from bearerguard.errors import AuthError, InvalidToken
from bearerguard.provider import Provider
from bearerguard.request import Incoming
from bearerguard.token import REMEMBERED, AccessToken

if TYPE_CHECKING:
    from bearerguard._flows.introspection import Introspector, OpaqueTokens
    from bearerguard._flows.revocation import Revoked

Stages = Generator[Effect, Any, AccessToken]
"""The stages of an admission that are left, beginning with an effect."""
_PIECE = slice(-SIGNATURE_CHARACTERS_KEPT, None)
"""Where in a token the piece stands under which its verdict is found."""


class Pipeline:
    """Admits the tokens of some providers. Shared by threads and tasks without a lock.

    Args:
        trusted: the providers, each with where its keys are.
        clock: seconds since 1970.
        binding: what it can have proven; by default nothing, and every bound token is refused.
        asked: what asks those that have introspection, by their names.
        memory: bounds what is remembered of verified tokens; all servers of the process share one.
        revoked: which tokens were taken back; None where none are.
    """

    def __init__(  # noqa: PLR0917 - in the order of the stages; most are left out
        self,
        trusted: Iterable[tuple[Provider, KeySource]],
        clock: Callable[[], float],
        binding: Binding | None = None,
        asked: Mapping[str, AnswerSource] | None = None,
        memory: SharedBound = REMEMBERED,
        revoked: Revoked | None = None,
    ) -> None:
        trusted = tuple(trusted)
        self._trusted, self._asks = trusted, asked
        self.providers = tuple(provider for provider, _ in trusted)
        self._clock = clock
        self._binding = Binding() if binding is None else binding
        self._revoked = revoked
        # The list itself, as what is remembered of a token is compared with it for each request.
        self._denylist = None if revoked is None else revoked.list
        introspectors: dict[str, Introspector] = {}
        self._opaque: OpaqueTokens | None = None
        if asked:
            # Here, as most servers ask nobody about a token.
            from bearerguard._flows.introspection import OpaqueTokens, introspectors_of  # noqa: PLC0415 - keeps `import bearerguard` short

            introspectors = introspectors_of(self.providers, asked, clock)
            self._opaque = OpaqueTokens(introspectors.values()) if introspectors else None
        trust = trust_in(trusted, clock, introspectors)
        self._by_issuer, self._by_template = trust.by_issuer, trust.by_template
        self._verdicts: WeighedGenerations[bytes, Verdict] = WeighedGenerations(memory)
        self._headers: Generations[bytes, Header] = Generations(CACHED_HEADERS)
        self._is_waiting = False  # for keys; many may, so of those that come then only `iss` is read before

    def admit(
        self,
        text: bytes,
        request: Incoming | None = None,
        scheme: str = BEARER,
        resource: str | None = None,
        start: int = 0,
    ) -> AccessToken | Stages:
        """Decide about a token, and whether this request may use it, with what is in memory.

        Args:
            text: the token, or the field value in which it came.
            request: what presents it; None where a program asks about the token only.
            scheme: by which authentication scheme.
            resource: the URL of the API, where a guard knows it.
            start: how many bytes of the text stand before the token, besides spaces.

        Returns:
            The verified token, or the flow of the stages that are left.

        Raises:
            AuthError: the token is refused.
        """
        if len(text) > MAX_TOKEN_BYTES + start:
            if start:
                return self.admit(token_behind(scheme, text[start:]), request, scheme, resource)
            raise InvalidToken("too_large", "The token is too long.")
        now = self._clock()
        # Found by a piece of its signature, and then compared as a whole: byte by byte as far as it is known,
        # and what is behind that by a hash that nobody can make collide (as `Verdict.is_of` does).
        verdicts = self._verdicts
        piece = text[_PIECE]
        verdict = verdicts.young.get(piece)
        if verdict is None and piece in verdicts.old:
            verdict = verdicts.get(piece)
        if verdict is not None and (
            text.startswith(known, start)
            and fingerprint(text[start + len(known) :]).digest() == verdict.digest
            if (known := verdict.known)
            else verdict.is_of(text[start:])
        ):
            # The verdict would be the same again: not past `exp`, not before it was made (by a clock that was
            # set back), not of keys out of use.
            source = verdict.source
            key_set = source.key_set
            if (
                verdict.since <= now < verdict.until
                and key_set is not None
                and key_set.keys is verdict.keys
                and (key_set.fetched_at <= now < key_set.refresh_at or is_usable(source, key_set, now))
            ):
                if not known:
                    verdict.know(text[start:])
                denylist = self._denylist
                is_cleared = denylist is None or (
                    verdict.cleared is denylist.version and denylist.since <= now < denylist.until
                )
                if is_cleared and verdict.confirmation is None and scheme is BEARER:
                    return AccessToken(text, verdict, now)
                return self._admit_by(verdict, Presented(text[start:], request, scheme, resource), now)
        if start:  # a token that was seen before is not cut out
            raw = token_behind(scheme, text[start:])
            if len(raw) != len(text) - start or len(raw) < SIGNATURE_CHARACTERS_KEPT:
                return self.admit(raw, request, scheme, resource)  # it was not found by what ends the text
            text = raw
        return self._admit_new(text, request, scheme, resource, now)

    def _admit_new(
        self, raw: bytes, request: Incoming | None, scheme: str, resource: str | None, now: float
    ) -> AccessToken | Stages:
        """Decide about a token of which nothing is remembered that still holds."""
        try:
            head, body, tail, signing_input = split(raw)
            # Looked up here first: a call more would cost as much as the look-up.
            header = self._headers.young.get(head) or self._header(head)
            try:
                payload = base64url.decode(body)
                claims = None if self._is_waiting else decode_small_object(payload)
                issuer = unread_issuer(payload) if claims is None else claims.get("iss")
            except ValueError:
                raise unreadable(body, "'s payload is not a base64url JSON object") from None
            try:
                signature = base64url.decode(tail)
            except ValueError:
                raise unreadable(tail, "'s signature is not base64url") from None
        except JoseError as error:
            return self._of_no_jwt(
                InvalidToken(error.reason, error.said_of("The token")),
                Presented(raw, request, scheme, resource),
                now,
            )
        verifier = self._by_issuer.get(issuer) if issuer.__class__ is str else None
        if verifier is None:
            try:
                verifier = self._of_any_issuer(issuer)
            except InvalidToken as refusal:
                return self._of_no_jwt(refusal, Presented(raw, request, scheme, resource), now)
        # In pieces where it is long; where it is short, a call more would be felt.
        is_short = len(signing_input) <= HASHED_AT_ONCE
        digest = sha256(signing_input).digest() if is_short else sha256_of(signing_input)
        try:
            outcome = verifier.decide(header, claims, payload, signing_input, signature, digest, now)
            if type(outcome) is not Verdict:  # `isinstance` asks the metaclass of a `Struct`
                deciding = cast("Deciding", outcome)
                presented = Presented(raw, request, scheme, resource)
                return self._stages(deciding, verifier, presented, header, claims)
            if claims is None:
                claims = outcome.taken()
            self._verdicts.put(raw[_PIECE], outcome)
            if (
                outcome.confirmation is not None
                or scheme is not BEARER
                or self._revoked is not None
                or self._binding.proofs is not None
            ):
                presented = Presented(raw, request, scheme, resource)
                return self._admit_by(outcome, presented, now, claims, header.kid)
        except AuthError as error:
            tell(error, header, verifier)
            raise
        return AccessToken(raw, outcome, now, claims)

    def _admit_by(
        self,
        verdict: Verdict,
        presented: Presented,
        now: float,
        claims: ClaimsSet | None = None,
        kid: str | None = None,
    ) -> AccessToken | Stages:
        """Decide whether a request may use a token of which there is a verdict, with what is in memory."""
        token, revoked = AccessToken(presented.token, verdict, now, claims), self._revoked
        if revoked is not None:
            if not revoked.has_heard(now):
                return self._granted(token, verdict, presented)
            if verdict.cleared is not revoked.list.version:
                revoked.refuse(verdict, token, now)
        noting = self._prove(verdict, presented, now)
        return token if noting is None else noted(noting, token, kid)

    def apart(self) -> Pipeline:
        """Return the same pipeline for one explanation: it remembers no token, and spends no proof."""
        return self._like(self._binding.looking(), self._revoked)

    def unbound(self) -> Pipeline:
        """Return the same pipeline for a program that has a token of somebody else: to revoke it, say.

        Of such a token only the verdict counts: it may be revoked already, and nobody has to prove anything.
        """
        return self._like(ANYBODY, None)

    def trusted_for(self, issuer: str) -> Generator[Effect, Any, tuple[tuple[Provider, KeySource], ...]]:
        """Return the providers that speak for an issuer, each with where its keys are."""
        yield from ()
        return tuple(one for one in self._trusted if speaks_for(one[0], issuer))

    def _like(self, binding: Binding, revoked: Revoked | None) -> Pipeline:
        kind = type(self)
        return kind(self._trusted, self._clock, binding, self._asks, SharedBound(0), revoked)

    def _stages(
        self,
        deciding: Deciding,
        verifier: AnyVerifier,
        presented: Presented,
        header: Header,
        claims: ClaimsSet | None,
    ) -> Stages:
        raw = presented.token
        try:
            self._is_waiting = True
            try:
                verdict = yield from deciding
            finally:
                self._is_waiting = False
            if claims is None:
                claims = verdict.taken()
            self._keep(raw, verdict)
            # Where its provider was asked too, the verdict has the claims of both.
            token = AccessToken(raw, verdict, verdict.since, claims if verdict.kept is None else None)
            return (yield from self._granted(token, verdict, presented))
        except AuthError as error:
            tell(error, header, verifier)
            raise

    def _of_no_jwt(self, refusal: InvalidToken, presented: Presented, now: float) -> Stages:
        """Have providers asked about what is not a JWT that is verified here; without one refuse it.

        Raises:
            InvalidToken: `refusal`, or that no provider is to be asked, or that all have been.
        """
        opaque, raw = self._opaque, presented.token
        try:
            if opaque is None:
                raise refusal from None
            issuer = _issuer_in(raw)
            if issuer.__class__ is str and (
                issuer in self._by_issuer or any(template.fits(issuer) for template, _ in self._by_template)
            ):
                raise refusal from None
        finally:
            del refusal  # or error, traceback and frame would be a cycle, left to the garbage collector
        # Else a forger could tell the issuers whose JWTs are verified here from all others.
        is_forged = issuer.__class__ is str and bool(self._by_issuer or self._by_template)
        try:
            askers = opaque.whom_to_ask(raw, issuer)
            digest = sha256_of(raw)
            opaque.refuse_again(askers, digest, now)
        except InvalidToken as error:
            raise (_as_forged(error) if is_forged else error) from None
        return self._asked(opaque.decide(askers, raw, digest), presented, is_forged=is_forged)

    def _asked(self, deciding: Deciding, presented: Presented, *, is_forged: bool) -> Stages:
        try:
            verdict = yield from deciding
        except InvalidToken as error:
            raise (_as_forged(error) if is_forged else error) from None
        self._keep(presented.token, verdict)
        token = AccessToken(presented.token, verdict, verdict.since)
        return (yield from self._granted(token, verdict, presented))

    def _granted(self, token: AccessToken, verdict: Verdict, presented: Presented) -> Stages:
        """Go on behind the verdict: hear what was revoked, if need be, and have the binding proven."""
        revoked = self._revoked
        if revoked is not None:
            if not revoked.has_heard(self._clock()):
                yield from revoked.hear(verdict)
            revoked.refuse(verdict, token, self._clock())
        noting = self._prove(verdict, presented, self._clock())
        if noting is not None:
            yield from noting
        return token

    def _prove(self, verdict: Verdict, presented: Presented, now: float) -> Noting | None:
        """Have proven what a token is bound to; return what is left of that."""
        if verdict.confirmation is not None or presented.scheme is not BEARER:
            return self._binding.prove(verdict, presented, now)
        if self._binding.proofs is not None:
            self._binding.proofs.look_for_stray(presented.request)
        return None

    def _keep(self, raw: bytes, verdict: Verdict) -> None:
        """Remember a verdict that was waited for, unless one of those who waited with us has done so."""
        if not verdict.may_be_kept:
            return
        piece = raw[_PIECE]
        found = self._verdicts.young.get(piece)
        if (
            found is None
            or found.keys is not verdict.keys
            or not found.since <= verdict.since < found.until
            or not found.is_of(raw)
        ):
            self._verdicts.put(piece, verdict)

    def _header(self, segment: bytes) -> Header:
        header = self._headers.get(segment)
        if header is None:
            header = parse_header(segment)
            if len(segment) <= MAX_CACHED_HEADER_BYTES:
                self._headers.put(segment, header)
        return header

    def _of_any_issuer(self, issuer: Any) -> AnyVerifier:
        """The providers that take the tokens of issuers that no other has (RFC 7519, section 4.1.1)."""
        if issuer is not None and issuer.__class__ is not str:
            raise InvalidToken("invalid_claim", "The token's 'iss' claim is malformed.")
        for template, verifier in self._by_template:
            if issuer is not None and template.fits(issuer):
                return verifier
        chosen = self._by_issuer.get(None)
        if chosen is not None and not (self._opaque is not None and self._opaque.asks_about(issuer)):
            return chosen
        if issuer is None:
            raise InvalidToken("missing_claim", "The token has no 'iss' claim.")
        raise _of_nobody(issuer, tuple(self._by_issuer))


def noted(noting: Noting, token: AccessToken, kid: str | None = None) -> Stages:
    """Admit a token once its proof was noted where a fleet does."""
    try:
        yield from noting
    except AuthError as error:
        error.kid = kid
        raise
    return token


def _as_forged(error: InvalidToken) -> InvalidToken:
    """The refusal of a JWT that nobody vouches for, in the words for those that are verified here."""
    if error.reason not in ("inactive", "malformed"):
        return error
    alike = InvalidToken(error.reason, NOT_TRUSTED)
    alike.provider = error.provider
    return alike


def _of_nobody(issuer: Any, issuers: tuple[str | None, ...]) -> InvalidToken:
    """The refusal of an issuer that nobody here trusts."""
    error = InvalidToken("issuer", NOT_TRUSTED)
    error.facts = {"issuers": issuers, "unverified_iss": issuer}
    return error


def _issuer_in(raw: bytes) -> Any:
    """The issuer that a token names which was not read as a JWT, whatever is wrong with it; else None."""
    if raw.count(b".") != 2 or not raw.isascii():
        return None
    try:
        return unread_issuer(base64url.decode(split(raw)[1]))
    except (JoseError, ValueError):
        return None


def tell(error: AuthError, header: Header, verifier: AnyVerifier) -> None:
    """Add for operators what was asked for, and of whom."""
    error.kid = header.kid
    if error.provider is None:
        provider = getattr(verifier, "provider", None)  # several have one each
        error.provider = None if provider is None else provider.name
