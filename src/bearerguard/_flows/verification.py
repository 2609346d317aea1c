"""The one pipeline: from the text of a token to an `AccessToken`, or to the refusal that says why not.

`Verifier.attempt` is the common case, a plain function: with the keys in memory it decides at once. Where
it cannot, it returns the effect that it is waiting for, and `verification` is the flow around it. Trust
goes one way: `iss` chooses among the configured providers, whose keys alone are tried; nothing in a token
names a key, an address or an algorithm that configuration did not allow first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from hashlib import sha256
from math import inf
from typing import Any, TypeVar

from msgspec import Struct

from bearerguard._core import base64url
from bearerguard._core.claims import ClaimChecks, Claims, compose_checks
from bearerguard._core.compact import split
from bearerguard._core.generations import Generations
from bearerguard._core.header import Header, parse_header
from bearerguard._core.json_object import AN_OBJECT, decode_json
from bearerguard._core.key_set import Keys, KeySet
from bearerguard._core.limits import (
    CACHED_HEADERS,
    CACHED_TOKENS,
    MAX_CACHED_HEADER_BYTES,
    MAX_CACHED_PAYLOAD_BYTES,
    MAX_TOKEN_BYTES,
)
from bearerguard._flows.effects import KeySource, WaitForKeys
from bearerguard.errors import AuthError, InvalidToken, ProviderUnavailable
from bearerguard.provider import Provider
from bearerguard.token import AccessToken, SignedClaims

Waited = Mapping[KeySource, float | None]
"""The sources that this request has waited for, each with the answer."""
NOT_WAITED: Waited = {}
E = TypeVar("E", bound=AuthError)
Flow = Generator[WaitForKeys, float | None, AccessToken]
"""A verification that waits for keys: each wait is answered with what came of it."""


class Trust(Struct, frozen=True):
    """A provider, where its keys are, and its checks, composed."""

    provider: Provider
    source: KeySource
    algorithms: frozenset[str]
    types: frozenset[str | None]
    check: ClaimChecks


class Accepted(SignedClaims, gc=False):
    """A verdict in memory: all that is needed to give it again."""

    start: float
    until: float
    source: KeySource
    keys: Keys


class Parsed(Struct, frozen=True, gc=False):
    """A token taken apart; nothing in it is verified."""

    header: Header
    claims: Claims
    payload: bytes
    signing_input: bytes
    signature: bytes


class Verifier:
    """Verifies the tokens of some providers. Shared by threads and tasks without a lock."""

    def __init__(self, trusted: Iterable[tuple[Provider, KeySource]]) -> None:
        self._trusted: dict[str | None, tuple[Trust, ...]] = {}
        for provider, source in trusted:
            trust = _trust(provider, source)
            self._trusted[provider.issuer] = (*self._trusted.get(provider.issuer, ()), trust)
        self._accepted: Generations[bytes, Accepted] = Generations(CACHED_TOKENS)
        self._headers: Generations[bytes, Header] = Generations(CACHED_HEADERS)

    def attempt(self, raw: bytes, now: float, waited: Waited = NOT_WAITED) -> AccessToken | WaitForKeys:
        """Decide about a token with what is in memory.

        Args:
            raw: the text of the token.
            now: seconds since 1970.
            waited: the key sources that this request has waited for already, with what came of it.

        Returns:
            The verified token, or the effect without which it cannot be decided.

        Raises:
            InvalidToken: the token is refused.
            ProviderUnavailable: keys were waited for, and there are none.
        """
        if len(raw) > MAX_TOKEN_BYTES:
            raise InvalidToken("too_large", "The token is too long.")
        # The whole token, signature included, by a hash that nobody can make collide.
        digest = sha256(raw).digest()
        accepted = self._accepted
        verdict = accepted.young.get(digest)
        if verdict is None and digest in accepted.old:
            verdict = accepted.get(digest)
        if verdict is not None:
            source = verdict.source
            key_set = source.key_set
            if (
                verdict.start <= now < verdict.until
                and key_set is not None
                and key_set.keys is verdict.keys
                and (key_set.fetched_at <= now < key_set.refresh_at or _is_usable(source, key_set, now))
            ):
                return AccessToken(raw, verdict, now)
        parsed = self._parse(raw)
        issuer = parsed.claims.get("iss")
        chosen = self._trusted.get(issuer) if issuer.__class__ is str else None
        if chosen is None:
            chosen = self._of_any_issuer(issuer)
        if len(chosen) == 1:
            outcome = decide(chosen[0], parsed, now, waited)
        else:
            outcome = decide_among(chosen, parsed, now, waited)
        if type(outcome) is WaitForKeys:  # `isinstance` asks the metaclass of a `Struct`
            return outcome
        if len(parsed.payload) <= MAX_CACHED_PAYLOAD_BYTES:
            accepted.put(digest, outcome)
        return AccessToken(raw, outcome, now, parsed.claims)

    def _parse(self, raw: bytes) -> Parsed:
        head, body, tail, signing_input = split(raw)
        # Looked up here first: a call more would cost as much as the look-up.
        header = self._headers.young.get(head) or self._headers.get(head)
        if header is None:
            header = parse_header(head)
            if len(head) <= MAX_CACHED_HEADER_BYTES:
                self._headers.put(head, header)
        try:
            payload = base64url.decode(body)
            claims = decode_json(payload, AN_OBJECT)
        except ValueError:
            raise InvalidToken("malformed", "The token's payload is not a base64url JSON object.") from None
        try:
            signature = base64url.decode(tail)
        except ValueError:
            raise InvalidToken("malformed", "The token's signature is not base64url.") from None
        return Parsed(header, claims, payload, signing_input, signature)

    def _of_any_issuer(self, issuer: Any) -> tuple[Trust, ...]:
        """The providers that take the tokens of issuers that no other has (RFC 7519, section 4.1.1)."""
        if issuer is not None and issuer.__class__ is not str:
            raise InvalidToken("invalid_claim", "The token's 'iss' claim is malformed.")
        chosen = self._trusted.get(None)
        if chosen is not None:
            return chosen
        if issuer is None:
            raise InvalidToken("missing_claim", "The token has no 'iss' claim.")
        raise InvalidToken("issuer", "The token was issued by somebody who is not trusted here.")


def verification(verifier: Verifier, raw: bytes, first: WaitForKeys, clock: Callable[[], float]) -> Flow:
    """The flow of a token that cannot be decided at once: wait for what it wants, and attempt it again.

    Each source is waited for once, so a request ends after as many waits as there are providers of its
    issuer.
    """
    waited: dict[KeySource, float | None] = {}
    outcome: AccessToken | WaitForKeys = first
    while isinstance(outcome, WaitForKeys):
        waited[outcome.source] = yield outcome
        outcome = verifier.attempt(raw, clock(), waited)
    return outcome


def decide_among(
    chosen: tuple[Trust, ...], parsed: Parsed, now: float, waited: Waited
) -> Accepted | WaitForKeys:
    """Decide where several providers have the token's issuer: any of them that accepts will do.

    Raises:
        AuthError: none accepts; of their refusals the one that got furthest.
    """
    wanted: WaitForKeys | None = None
    refusals: list[AuthError] = []
    for trust in chosen:
        try:
            outcome = decide(trust, parsed, now, waited)
        except AuthError as error:
            refusals.append(error)
            continue
        if isinstance(outcome, Accepted):
            return outcome
        wanted = wanted or outcome
    if wanted is not None:
        return wanted
    try:
        raise max(refusals, key=_weight)
    finally:
        refusals.clear()  # else error, traceback and frame are a cycle, left to the garbage collector


def decide(trust: Trust, parsed: Parsed, now: float, waited: Waited) -> Accepted | WaitForKeys:
    """Make every check of one provider, in an order that learns nothing from a token before its signature.

    Raises:
        InvalidToken: the first check that fails.
        ProviderUnavailable: the provider could not be asked for keys that are needed.
    """
    alg, kid, typ = parsed.header
    if alg not in trust.algorithms:
        sentence = "The token is signed with an algorithm that is not accepted."
        raise _by(trust, kid, InvalidToken("algorithm", sentence))
    if typ not in trust.types:
        sentence = "The token is not of a type that is accepted as an access token."
        raise _by(trust, kid, InvalidToken("type", sentence))
    source = trust.source
    key_set = source.key_set
    if key_set is None or (
        not key_set.fetched_at <= now < key_set.refresh_at and not _is_usable(source, key_set, now)
    ):
        if source in waited:
            raise _by(trust, kid, _unavailable(waited[source]))
        return WaitForKeys(source, "missing")
    keys = key_set.keys
    candidates = keys.named.get((alg, kid))
    named = bool(candidates)
    for verify in candidates or keys.unnamed(alg, kid):
        if verify(parsed.signature, parsed.signing_input):
            try:
                start, until = trust.check(parsed.claims, now)
            except InvalidToken as error:
                _by(trust, kid, error)
                raise
            return Accepted(trust.provider, parsed.payload, None, start, until, source, keys)
    if named or key_set.refresh_at == inf:
        raise _by(trust, kid, _not_signed(named or bool(keys.unnamed(alg, kid))))
    # No key of that name: it may have been published since. Keys without a name may have been replaced.
    if source not in waited:
        return WaitForKeys(source, "unknown_kid")
    if waited[source] is not None:
        raise _by(trust, kid, _unavailable(waited[source]))
    raise _by(trust, kid, _not_signed(bool(keys.unnamed(alg, kid))))


def _by(trust: Trust, kid: str | None, refusal: E) -> E:
    """A refusal, with what operators are told of it."""
    refusal.provider, refusal.kid = trust.provider.name, kid
    return refusal


def _trust(provider: Provider, source: KeySource) -> Trust:
    check = compose_checks(
        leeway=provider.leeway,
        audiences=None if provider.dangerously_accept_any_audience else provider.audiences,
        audience_claim=provider.audience_claim,
        required=provider.profile.required_claims,
        required_values=provider.required_values,
    )
    return Trust(provider, source, frozenset(provider.algorithms), provider.profile.types, check)


def _is_usable(source: KeySource, key_set: KeySet, now: float) -> bool:
    """Whether keys that are due for a refresh may be used meanwhile; has the refresh started.

    Keys from the future are due as well: the clock was set back, and would keep them for longer.
    """
    source.refresh_ahead(now)
    return now < key_set.usable_until


def _not_signed(had_a_key: bool) -> InvalidToken:
    if had_a_key:
        return InvalidToken("signature", "The token's signature does not verify.")
    return InvalidToken("unknown_key", "The token is signed with a key that is not known.")


def _unavailable(retry_after: float | None) -> ProviderUnavailable:
    return ProviderUnavailable(
        "The keys of the token's issuer cannot be fetched at the moment.",
        retry_after=1.0 if retry_after is None else retry_after,
    )


# How far a token got before it was refused; whoever had trouble might have accepted it.
_WEIGHTS = {"algorithm": 0, "type": 0, "unknown_key": 1, "signature": 2, "provider_unavailable": 4}


def _weight(refusal: AuthError) -> int:
    """Of several providers' refusals, the one that tells most is given."""
    return _WEIGHTS.get(refusal.reason, 3)
