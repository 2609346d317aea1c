"""The one pipeline: from the text of a token to an `AccessToken`, or to the refusal that says why not.

`Verifier.attempt` is the common case, a plain function: with the keys in memory it decides at once. Where
it cannot, it returns the effect that it is waiting for, and `verification` is the flow around it. Trust
goes one way: `iss` chooses among the configured providers, whose keys alone are tried; nothing in a token
names a key, an address or an algorithm that configuration did not allow first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from hashlib import sha256
from typing import Any

from bearerguard._core.claims import Claims
from bearerguard._core.generations import Generations
from bearerguard._flows.effects import KeySource, WaitForKeys
from bearerguard._flows.trust import Accepted, AnyOf, Trust, Waited, is_usable, trust_in
from bearerguard._jose import base64url
from bearerguard._jose.jose_error import JoseError
from bearerguard._jose.json_object import AN_OBJECT, decode_json
from bearerguard._jose.jws import Header, parse_header, split
from bearerguard._limits import (
    CACHED_HEADERS,
    CACHED_TOKENS,
    MAX_CACHED_HEADER_BYTES,
    MAX_CACHED_PAYLOAD_BYTES,
    MAX_TOKEN_BYTES,
)
from bearerguard.errors import AuthError, InvalidToken
from bearerguard.provider import Provider
from bearerguard.token import AccessToken

NOT_WAITED: Waited = {}
Flow = Generator[WaitForKeys, float | None, AccessToken]
"""A verification that waits for keys: each wait is answered with what came of it."""


class Verifier:
    """Verifies the tokens of some providers. Shared by threads and tasks without a lock."""

    def __init__(self, trusted: Iterable[tuple[Provider, KeySource]]) -> None:
        self._trusted = trust_in(trusted)
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
        if verdict is not None and _holds(verdict, now):
            return AccessToken(raw, verdict, now)
        try:
            head, body, tail, signing_input = split(raw)
            # Looked up here first: a call more would cost as much as the look-up.
            header = self._headers.young.get(head) or self._header(head)
        except JoseError as error:
            raise InvalidToken(error.reason, error.said_of("The token")) from None
        try:
            payload = base64url.decode(body)
            claims: Claims = decode_json(payload, AN_OBJECT)
        except ValueError:
            raise InvalidToken("malformed", "The token's payload is not a base64url JSON object.") from None
        try:
            signature = base64url.decode(tail)
        except ValueError:
            raise InvalidToken("malformed", "The token's signature is not base64url.") from None
        issuer = claims.get("iss")
        trust = self._trusted.get(issuer) if issuer.__class__ is str else None
        if trust is None:
            trust = self._of_any_issuer(issuer)
        try:
            outcome = trust.decide(header, claims, payload, signing_input, signature, now, waited)
        except AuthError as error:
            error.kid = header.kid
            if isinstance(trust, Trust):
                error.provider = trust.provider.name
            raise
        if type(outcome) is WaitForKeys:  # `isinstance` asks the metaclass of a `Struct`
            return outcome
        if len(payload) <= MAX_CACHED_PAYLOAD_BYTES:
            accepted.put(digest, outcome)
        return AccessToken(raw, outcome, now, claims)

    def _header(self, segment: bytes) -> Header:
        header = self._headers.get(segment)
        if header is None:
            header = parse_header(segment)
            if len(segment) <= MAX_CACHED_HEADER_BYTES:
                self._headers.put(segment, header)
        return header

    def _of_any_issuer(self, issuer: Any) -> Trust | AnyOf:
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


def _holds(verdict: Accepted, now: float) -> bool:
    """Whether a verdict would be the same again: the time, and the keys.

    Not past `exp`, not before it was made (by a clock that was set back), not of keys out of use.
    """
    source = verdict.source
    key_set = source.key_set
    return (
        verdict.since <= now < verdict.until
        and key_set is not None
        and key_set.keys is verdict.keys
        and (key_set.fetched_at <= now < key_set.refresh_at or is_usable(source, key_set, now))
    )
