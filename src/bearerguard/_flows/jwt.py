"""What one provider says of a JWT that claims to be its own: every check, in one order.

A verifier gets a token taken apart, of which nothing is verified yet, and decides at once where it can.
Where it has to wait for keys, it hands over the rest of its work as a flow: nothing is checked a second time
after a wait. It neither reads a token's text nor remembers a verdict, and it does not know who presents the
token.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from math import inf
from typing import Any

from msgspec import Raw, Struct, to_builtins
from msgspec.json import Decoder

from bearerguard._core.claims import ClaimChecks, ClaimsSet, compose_checks
from bearerguard._core.shared_bound import weight_of
from bearerguard._core.token_kind import refuse_other_kinds
from bearerguard._flows.effects import Cause, KeySource, WaitForKeys
from bearerguard._jose.algorithms import Hashed
from bearerguard._jose.json_object import decode_json, decode_object, decode_part
from bearerguard._jose.jws import Header
from bearerguard._jose.key_set import KeyIndex, KeySet
from bearerguard._limits import VERDICT_BYTES
from bearerguard.errors import AuthError, InvalidToken, ProviderUnavailable
from bearerguard.provider import Provider
from bearerguard.token import Claims


class Verdict(Claims, gc=False):
    """Who signed what: all that is needed to say so again. Not whether a request may use it.

    Attributes:
        since: when it was made, in seconds since 1970.
        until: from when on it holds no longer, in seconds since 1970.
        source: where the keys are.
        keys: the keys under which it was made.
        digest: the SHA-256 of the whole token, signature included.
        confirmation: the claim `cnf` (RFC 7800): what the client that presents the token has to prove.
        may_be_kept: whether the same would be said again; not where another provider could not be asked.
    """

    since: float
    until: float
    source: KeySource
    keys: KeyIndex
    digest: bytes
    confirmation: dict[str, Any] | None
    may_be_kept: bool = True


Deciding = Generator[WaitForKeys, float | None, Verdict]
"""What is left to do for a verdict, beginning with a wait for keys."""


class JwtVerifier(Struct, frozen=True):
    """A provider, where its keys are, and its checks, composed."""

    provider: Provider
    source: KeySource
    clock: Callable[[], float]
    algorithms: frozenset[str]
    types: frozenset[str | None]
    check: ClaimChecks
    refuses_other_kinds: bool

    def decide(  # noqa: PLR0917 - the parts of a token; on the way of each new one no object is made of them
        self,
        header: Header,
        claims: ClaimsSet | None,
        payload: bytes,
        signing_input: bytes,
        signature: bytes,
        hashed: Hashed,
        now: float,
    ) -> Verdict | Deciding:
        """Make every check, in an order that learns nothing from a token before its signature.

        Args:
            header: the token's header.
            claims: its claims; None where they are to be read once the signature was checked.
            payload: the JSON text of them.
            signing_input: what the signature is over.
            signature: the signature.
            hashed: the signing input, hashed with SHA-256.
            now: seconds since 1970.

        Returns:
            The verdict, or the flow that comes to it where keys have to be waited for.

        Raises:
            AuthError: the first check that fails.
        """
        alg, kid, typ = header
        if alg not in self.algorithms:
            raise InvalidToken("algorithm", NOT_TRUSTED)
        if typ not in self.types:
            raise InvalidToken("type", NOT_TRUSTED)
        source = self.source
        key_set = source.key_set
        if key_set is None or (
            not key_set.fetched_at <= now < key_set.refresh_at and not is_usable(source, key_set, now)
        ):
            return self._after("missing", None, header, claims, payload, signing_input, signature, hashed)
        keys = key_set.keys
        for verify in keys.named.get((alg, kid)) or keys.unnamed(alg, kid):
            if verify(signature, signing_input, hashed):
                return self._verdict(claims, payload, typ, now, keys)
        if key_set.refresh_at == inf:
            raise _not_signed(keys, alg, kid)
        # No key of that name: it may have been published since. Keys without a name may have been replaced,
        # and so may one under its old name.
        cause: Cause = "signature" if (alg, kid) in keys.named else "unknown_kid"
        return self._after(cause, keys, header, claims, payload, signing_input, signature, hashed)

    def _after(  # noqa: PLR0917 - as `decide`
        self,
        cause: Cause,
        tried: KeyIndex | None,
        header: Header,
        claims: ClaimsSet | None,
        payload: bytes,
        signing_input: bytes,
        signature: bytes,
        hashed: Hashed,
    ) -> Deciding:
        """Wait for keys, once; then decide for good. Keys that were tried before are not tried again."""
        source, (alg, kid, typ) = self.source, header
        retry_after = yield WaitForKeys(source, cause)
        now = self.clock()
        key_set = source.key_set
        if key_set is None or (
            not key_set.fetched_at <= now < key_set.refresh_at and not is_usable(source, key_set, now)
        ):
            raise _unavailable(retry_after)
        keys = key_set.keys
        if keys is not tried:
            for verify in keys.named.get((alg, kid)) or keys.unnamed(alg, kid):
                if verify(signature, signing_input, hashed):
                    return self._verdict(claims, payload, typ, now, keys)
        if retry_after is not None and (alg, kid) not in keys.named:
            raise _unavailable(retry_after)
        raise _not_signed(keys, alg, kid)

    def _verdict(
        self, claims: ClaimsSet | None, payload: bytes, typ: str | None, now: float, keys: KeyIndex
    ) -> Verdict:
        """Check what the signature was found to be good for."""
        if claims is None:
            claims = read_unread(payload)
        until = self.check(claims, now)
        if self.refuses_other_kinds and typ != "at+jwt":
            refuse_other_kinds(claims)
        confirmation = _cnf(claims) if "cnf" in claims else None
        weight = VERDICT_BYTES if confirmation is None else VERDICT_BYTES + weight_of(confirmation)
        return Verdict(self.provider, weight, None, now, until, self.source, keys, b"", confirmation)


class SameIssuer(Struct, frozen=True):
    """Several providers that have the same issuer: the first of them that accepts, as they are configured."""

    verifiers: tuple[JwtVerifier, ...]

    def decide(self, *parts: Any) -> Verdict | Deciding:
        """Decide as the first that accepts; the parts are those of `JwtVerifier.decide`.

        Raises:
            AuthError: none accepts; of their refusals the one that got furthest, with its provider.
        """
        refusals: list[AuthError] = []
        for number, verifier in enumerate(self.verifiers):
            try:
                outcome = verifier.decide(*parts)
            except AuthError as error:
                error.provider = verifier.provider.name
                refusals.append(error)
                continue
            if isinstance(outcome, Verdict):
                return outcome
            return self._after(number, outcome, refusals, parts)
        raise _furthest(refusals)

    def _after(
        self, number: int, waiting: Deciding | None, refusals: list[AuthError], parts: tuple[Any, ...]
    ) -> Deciding:
        """Go on with the one that has to wait: who decides does not depend on who is reachable at once."""
        for verifier in self.verifiers[number:]:
            verdict = yield from _verdict_or_none(verifier, waiting, refusals, parts)
            if verdict is not None:
                verdict.may_be_kept = not any(isinstance(one, ProviderUnavailable) for one in refusals)
                return verdict
            waiting = None
        raise _furthest(refusals)


def _verdict_or_none(
    verifier: JwtVerifier, waiting: Deciding | None, refusals: list[AuthError], parts: tuple[Any, ...]
) -> Generator[WaitForKeys, float | None, Verdict | None]:
    """What one of several says, from where it waits or from the beginning; None where it refuses."""
    header, claims, payload, signing_input, signature, hashed, _ = parts
    now = verifier.clock()
    try:
        outcome = (
            verifier.decide(header, claims, payload, signing_input, signature, hashed, now)
            if waiting is None
            else waiting
        )
        return outcome if isinstance(outcome, Verdict) else (yield from outcome)
    except AuthError as error:
        error.provider = verifier.provider.name
        refusals.append(error)
        return None


def _furthest(refusals: list[AuthError]) -> AuthError:
    """Of several providers' refusals, the one that tells most."""
    furthest = max(refusals, key=lambda refusal: _WEIGHTS.get(refusal.reason, 3))
    refusals.clear()  # else error, traceback and frame are a cycle, left to the garbage collector
    return furthest


# How far a token got before it was refused; a provider that had trouble might have accepted it.
_WEIGHTS = {"algorithm": 0, "type": 0, "unknown_key": 1, "signature": 2, "provider_unavailable": 4}


def verifiers_by_issuer(
    providers: Iterable[tuple[Provider, KeySource]], clock: Callable[[], float]
) -> dict[str | None, JwtVerifier | SameIssuer]:
    """The verifier to ask about a token, by its issuer; under None, the one to ask about all other tokens."""
    by_issuer: dict[str | None, list[JwtVerifier]] = {}
    for provider, source in providers:
        by_issuer.setdefault(provider.issuer, []).append(_verifier(provider, source, clock))
    return {
        issuer: same[0] if len(same) == 1 else SameIssuer(tuple(same)) for issuer, same in by_issuer.items()
    }


def _verifier(provider: Provider, source: KeySource, clock: Callable[[], float]) -> JwtVerifier:
    check = compose_checks(
        leeway=provider.leeway,
        audiences=None if provider.dangerously_accept_any_audience else provider.audiences,
        audience_claim=provider.audience_claim,
        required=provider.profile.required_claims,
        required_values=provider.required_values,
    )
    profile = provider.profile
    return JwtVerifier(
        provider, source, clock, provider.algorithms, profile.types, check, profile.refuses_other_kinds
    )


def is_usable(source: KeySource, key_set: KeySet, now: float) -> bool:
    """Whether keys that are due for a refresh may be used meanwhile; then has the refresh started.

    Keys from the future are due as well: the clock was set back, and would keep them for longer. For keys
    that are too old to be used the request waits, and the refresh is its own.
    """
    if now >= key_set.usable_until:
        return False
    source.refresh_ahead(now)
    return True


def _cnf(claims: ClaimsSet) -> dict[str, Any]:
    """What the token is bound to (RFC 7800, section 3.1); any other `cnf` binds to nothing known."""
    confirmation = claims["cnf"]
    if not isinstance(confirmation, dict):
        return {}
    copied: dict[str, Any] = to_builtins(confirmation)  # the first request may change its claims
    return copied


class _Issuer(Struct, gc=False):
    """Of a payload, the one member that says whom to ask; of the others nothing is made."""

    iss: Raw = Raw()


_read_issuer = Decoder(_Issuer).decode


def unread_issuer(payload: bytes) -> Any:
    """Return the `iss` of a payload that is not to be read before its signature was checked.

    Raises:
        ValueError: it is not a JSON object.
    """
    issuer = decode_part(payload, _read_issuer).iss
    text = bytes(issuer)
    if not text:
        return None
    # What is neither a string nor null is malformed, whatever it is: nothing is made of it either.
    return decode_json(text) if text[:1] in (b'"', b"n") else False


def read_unread(payload: bytes) -> ClaimsSet:
    """Return the claims of a payload whose signature was checked, and of which `iss` was read before.

    Raises:
        InvalidToken: it is not JSON after all, or says something else of its issuer to the whole parser.
    """
    try:
        claims = decode_object(payload)
        if claims.get("iss") == unread_issuer(payload):
            return claims
    except ValueError:
        pass
    raise InvalidToken("malformed", "The token's payload is not a base64url JSON object.")


NOT_TRUSTED = "The token was not issued by a provider that this API trusts."
"""Told of unknown issuers, keys, algorithms and types and of bad signatures alike: see SECURITY.md."""


def _not_signed(keys: KeyIndex, alg: str, kid: str | None) -> InvalidToken:
    if (alg, kid) in keys.named or keys.unnamed(alg, kid):
        return InvalidToken("signature", NOT_TRUSTED)
    return InvalidToken("unknown_key", NOT_TRUSTED)


def _unavailable(retry_after: float | None) -> ProviderUnavailable:
    return ProviderUnavailable(
        "The signing keys of the token's issuer are unavailable right now.",
        retry_after=1.0 if retry_after is None else retry_after,
    )
