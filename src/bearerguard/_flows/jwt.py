"""What one provider says of a JWT that claims to be its own: every check, in one order.

A verifier gets a token taken apart, of which nothing is verified yet, and decides at once where it can.
Where it has to wait for keys, it hands over the rest of its work as a flow: nothing is checked a second time
after a wait. It neither reads a token's text nor remembers a verdict, and it does not know who presents the
token.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from math import inf
from sys import getsizeof
from typing import Any, Protocol

from msgspec import Raw, Struct
from msgspec.json import Decoder

from bearerguard._core.claims import ClaimChecks, ClaimsSet
from bearerguard._core.confirmation import read_confirmation
from bearerguard._core.fingerprint import fingerprint
from bearerguard._core.token_kind import refuse_other_kinds
from bearerguard._flows.effects import (
    AskIntrospection,
    AskReplays,
    Cause,
    HearRevocations,
    KeySource,
    ResolveIssuer,
    SpendOnce,
    WaitForKeys,
    WriteRevocation,
)
from bearerguard._jose import base64url
from bearerguard._jose.hashing import sha256_of
from bearerguard._jose.json_object import decode_json, decode_large_object, decode_part
from bearerguard._jose.jws import Header
from bearerguard._jose.key_set import KeyIndex, KeySet
from bearerguard._limits import CONFIRMATION_BYTES, FINGERPRINT_BLOCK, VERDICT_BYTES
from bearerguard.errors import AuthError, InvalidToken, ProviderUnavailable
from bearerguard.provider import Provider
from bearerguard.token import REMEMBERED, Claims


class Verdict(Claims, gc=False):
    """Who signed what: all that is needed to say so again. Not whether a request may use it.

    Attributes:
        since: when it was made, in seconds since 1970.
        until: from when on it holds no longer, in seconds since 1970.
        source: where the keys are.
        keys: the keys under which it was made.
        digest: the `fingerprint` of the token behind what is `known` of it; where nothing is, the SHA-256 of
            what is signed, and the `fingerprint` of the signature.
        read: the claims, where they were read only after the signature; until whoever decides takes them.
        may_be_kept: whether the same would be said again; not where another provider could not be asked.
        known: what may be kept of the token (`length_to_keep`), once it came a second time.
        cleared: the version of the list of revocations on which it was not found.
    """

    since: float
    until: float
    source: KeySource
    keys: KeyIndex
    digest: bytes
    read: ClaimsSet | None = None
    may_be_kept: bool = True
    known: bytes = b""
    cleared: object = None

    def taken(self) -> ClaimsSet | None:
        """Return what was `read`, and forget it: the request that it is handed to may change it."""
        claims, self.read = self.read, None
        return claims

    def is_of(self, raw: bytes) -> bool:
        """Whether it is the verdict of this token, to the byte."""
        known = self.known
        if known:
            return raw.startswith(known) and fingerprint(raw[len(known) :]).digest() == self.digest
        signing_input, _, tail = raw.rpartition(b".")
        try:
            signature = base64url.decode(tail)  # of which there is one text
        except ValueError:
            return False
        digest: bytes = sha256_of(signing_input) + fingerprint(signature).digest()
        return digest == self.digest

    def know(self, raw: bytes) -> None:
        """Keep most of a token that came a second time: comparing is quicker than hashing.

        Without the rest of its signature it is not a token: nobody who reads the memory could use it.
        """
        known = raw[: length_to_keep(raw)]
        weight = getsizeof(known)
        if self.weight + weight <= REMEMBERED.half:
            digest: bytes = fingerprint(raw[len(known) :]).digest()
            # A thread that finds one of the two already, and not the other, takes the token for a new one:
            # what they are compared with is not of the same length.
            self.known, self.digest = known, digest
            self.weight += weight
            REMEMBERED.weigh(weight)


def length_to_keep(raw: bytes) -> int:
    """Return how much of a JWT may be kept, and compared: all but its signature.

    Of a long signature the first characters as well, which would cost a block more of the hash: a quarter of
    an RSA signature of 2,048 bits, less of a longer one.
    """
    signature = raw.rindex(b".") + 1
    length = len(raw) - signature
    return signature + length % FINGERPRINT_BLOCK if length > FINGERPRINT_BLOCK else signature


Effect = (
    WaitForKeys
    | AskIntrospection
    | AskReplays
    | ResolveIssuer
    | HearRevocations
    | WriteRevocation
    | SpendOnce
)
"""What an admission may ask of the world; each effect has one branch in each driver."""
Deciding = Generator[Effect, Any, Verdict]
"""What is left to do for a verdict, beginning with a wait or a question."""


class Verifier(Protocol):
    """Who decides about the tokens of one provider."""

    @property
    def provider(self) -> Provider:
        """The provider."""
        ...

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds since 1970."""
        ...

    def decide(  # noqa: PLR0917 - as `JwtVerifier.decide`
        self,
        header: Header,
        claims: ClaimsSet | None,
        payload: bytes,
        signing_input: bytes,
        signature: bytes,
        digest: bytes,
        now: float,
        /,
    ) -> Verdict | Deciding:
        """Decide about a token; the parts are those of `JwtVerifier.decide`."""
        ...


class JwtVerifier(Struct, frozen=True):
    """A provider, where its keys are, and its checks, composed."""

    provider: Provider
    source: KeySource
    clock: Callable[[], float]
    algorithms: frozenset[str]
    types: Collection[str | None]
    check: ClaimChecks
    refuses_other_kinds: bool

    def decide(  # noqa: PLR0917 - the parts of a token; on the way of each new one no object is made of them
        self,
        header: Header,
        claims: ClaimsSet | None,
        payload: bytes,
        signing_input: bytes,
        signature: bytes,
        digest: bytes,
        now: float,
        /,
    ) -> Verdict | Deciding:
        """Make every check, in an order that learns nothing from a token before its signature.

        Args:
            header: the token's header.
            claims: its claims; None where they are to be read once the signature was checked.
            payload: the JSON text of them.
            signing_input: what the signature is over.
            signature: the signature.
            digest: the SHA-256 of the signing input.
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
            return self._after("missing", None, header, claims, payload, signing_input, signature, digest)
        keys = key_set.keys
        for verify in keys.named.get((alg, kid)) or keys.unnamed(alg, kid):
            if verify(signature, signing_input, digest):
                return self._verdict(claims, payload, typ, now, keys, signature, digest)
        if key_set.refresh_at == inf:
            raise _not_signed(keys, alg, kid)
        # No key of that name: it may have been published since. Keys without a name may have been replaced,
        # and so may one under its old name.
        cause: Cause = "signature" if (alg, kid) in keys.named else "unknown_kid"
        return self._after(cause, keys, header, claims, payload, signing_input, signature, digest)

    def _after(  # noqa: PLR0917 - as `decide`
        self,
        cause: Cause,
        tried: KeyIndex | None,
        header: Header,
        claims: ClaimsSet | None,
        payload: bytes,
        signing_input: bytes,
        signature: bytes,
        digest: bytes,
    ) -> Deciding:
        """Wait for keys, once; then decide for good. Keys that were tried before are not tried again.

        Where the keys came from another process of a fleet, which asked for them perhaps before the one that
        is wanted was published, they are waited for a second time.
        """
        source, (alg, kid, typ) = self.source, header
        was_shared = False
        while True:
            retry_after = yield WaitForKeys(source, cause)
            now = self.clock()
            key_set = source.key_set
            if key_set is None or (
                not key_set.fetched_at <= now < key_set.refresh_at and not is_usable(source, key_set, now)
            ):
                raise unavailable(retry_after)
            keys = key_set.keys
            if keys is not tried:
                for verify in keys.named.get((alg, kid)) or keys.unnamed(alg, kid):
                    if verify(signature, signing_input, digest):
                        return self._verdict(claims, payload, typ, now, keys, signature, digest)
            if was_shared or not key_set.is_shared or keys is tried:
                break
            was_shared = True
            tried, cause = keys, "signature" if (alg, kid) in keys.named else "unknown_kid"
        if retry_after is not None and (alg, kid) not in keys.named:
            raise unavailable(retry_after)
        raise _not_signed(keys, alg, kid)

    def _verdict(  # noqa: PLR0917 - parts of a token: an object of them would be made for each new one
        self,
        claims: ClaimsSet | None,
        payload: bytes,
        typ: str | None,
        now: float,
        keys: KeyIndex,
        signature: bytes,
        digest: bytes,
    ) -> Verdict:
        """Check what the signature was found to be good for."""
        read = None
        if claims is None:
            claims = read = read_unread(payload, self.provider.issuer)
        try:
            until = self.check(claims, now)
            if self.refuses_other_kinds and typ != "at+jwt":
                refuse_other_kinds(claims)
        except AuthError as error:
            error.facts = facts_in(claims, self.provider, error.reason)
            raise
        weight, confirmation = VERDICT_BYTES, None
        if "cnf" in claims:
            confirmation = read_confirmation(claims["cnf"])
            weight += CONFIRMATION_BYTES
        digest += fingerprint(signature).digest()
        return Verdict(self.provider, weight, None, confirmation, now, until, self.source, keys, digest, read)


def facts_in(claims: ClaimsSet, provider: Provider, reason: str) -> dict[str, Any]:
    """Return what operators are told of a token that is refused for what its provider vouches for."""
    client_id = None
    for name in ("client_id", "azp", "appid"):
        if name in claims:
            client_id = claims[name]
            break
    facts = {"sub": claims.get("sub"), "client_id": client_id}
    if reason == "audience":
        facts |= {
            "audience_expected": provider.audiences,
            "audience_found": claims.get(provider.audience_claim),
        }
    return facts


class SameIssuer(Struct, frozen=True):
    """Several providers that have the same issuer: the first of them that accepts, as they are configured."""

    verifiers: tuple[Verifier, ...]

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
                if any(isinstance(one, ProviderUnavailable) for one in refusals):
                    verdict.may_be_kept = False
                return verdict
            waiting = None
        raise _furthest(refusals)


def _verdict_or_none(
    verifier: Verifier, waiting: Deciding | None, refusals: list[AuthError], parts: tuple[Any, ...]
) -> Generator[Effect, Any, Verdict | None]:
    """What one of several says, from where it waits or from the beginning; None where it refuses."""
    header, claims, payload, signing_input, signature, digest, _ = parts
    now = verifier.clock()
    try:
        outcome = (
            verifier.decide(header, claims, payload, signing_input, signature, digest, now)
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


def is_usable(source: KeySource, key_set: KeySet, now: float) -> bool:
    """Whether keys that are due for a refresh may be used meanwhile; if so, the refresh has started.

    Keys from the future are due as well: the clock was set back, and would keep them for longer. For keys
    that are too old to be used the request waits, and the refresh is its own.
    """
    if now >= key_set.usable_until:
        return False
    source.refresh_ahead(now)
    return True


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


def read_unread(payload: bytes, issuer: str | None = None) -> ClaimsSet:
    """Return the claims of a payload whose signature was checked, and of which `iss` was read before.

    Args:
        payload: the JSON text.
        issuer: whose keys it was checked with, where that is one: then its claims have to say the same.

    Raises:
        InvalidToken: it is not JSON after all, or says something else of its issuer to the whole parser.
    """
    try:
        claims = decode_large_object(payload)
        said = claims.get("iss")
        if (said == issuer and said is not None) or said == unread_issuer(payload):
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


def unavailable(retry_after: float | None) -> ProviderUnavailable:
    """Say that the keys cannot be had; after `retry_after` seconds they may."""
    return ProviderUnavailable(
        "The signing keys of the token's issuer are unavailable right now.",
        retry_after=1.0 if retry_after is None else retry_after,
    )
