"""The one pipeline: from the text of a token to an `AccessToken`, or to the refusal that says why not.

Two things are told apart. A *verdict* is who signed what: it may be remembered. An *admission* is whether
this request may use the token: it is judged each time, also where the verdict was remembered. The stages are
entered once each, in this order: verdict (`jwt`), binding (`binding`).

`Pipeline.admit` is the common case, a plain function: with the keys in memory it decides at once. Where it
cannot, it returns the flow of the stages that are left. Trust goes one way: `iss` chooses among the
configured providers, and only their keys are tried; nothing in a token names a key, an address or an
algorithm that configuration did not allow first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from hashlib import sha256
from typing import Any, cast

from bearerguard._core.claims import ClaimsSet
from bearerguard._core.generations import Generations
from bearerguard._core.shared_bound import WeighedGenerations
from bearerguard._flows.binding import prove
from bearerguard._flows.effects import KeySource, WaitForKeys
from bearerguard._flows.jwt import (
    NOT_TRUSTED,
    Deciding,
    JwtVerifier,
    SameIssuer,
    Verdict,
    is_usable,
    unread_issuer,
    verifiers_by_issuer,
)
from bearerguard._jose import base64url
from bearerguard._jose.jose_error import JoseError
from bearerguard._jose.json_object import decode_small_object
from bearerguard._jose.jws import Header, parse_header, split
from bearerguard._limits import (
    CACHED_HEADERS,
    MAX_CACHED_HEADER_BYTES,
    MAX_TOKEN_BYTES,
    SIGNATURE_CHARACTERS_KEPT,
)
from bearerguard.errors import AuthError, InvalidToken
from bearerguard.provider import Provider
from bearerguard.request import Incoming
from bearerguard.token import REMEMBERED, AccessToken

Effect = WaitForKeys
"""What an admission may ask of the world; each effect has one branch in each driver."""
Stages = Generator[Effect, Any, AccessToken]
"""The stages of an admission that are left, beginning with an effect."""


class Pipeline:
    """Admits the tokens of some providers. Shared by threads and tasks without a lock.

    Args:
        trusted: the providers, each with where its keys are.
        clock: seconds since 1970.
    """

    def __init__(self, trusted: Iterable[tuple[Provider, KeySource]], clock: Callable[[], float]) -> None:
        trusted = tuple(trusted)
        self.providers = tuple(provider for provider, _ in trusted)
        self._clock = clock
        self._by_issuer = verifiers_by_issuer(trusted, clock)
        self._verdicts: WeighedGenerations[bytes, Verdict] = WeighedGenerations(REMEMBERED)
        self._headers: Generations[bytes, Header] = Generations(CACHED_HEADERS)

    def admit(  # noqa: C901 - a call more for each stage would cost a tenth of a repeated token
        self, raw: bytes, request: Incoming | None = None
    ) -> AccessToken | Stages:
        """Decide about a token, and whether this request may use it, with what is in memory.

        Args:
            raw: the text of the token.
            request: what presents it; None where a program asks about the token only.

        Returns:
            The verified token, or the flow of the stages that are left.

        Raises:
            AuthError: the token is refused.
        """
        if len(raw) > MAX_TOKEN_BYTES:
            raise InvalidToken("too_large", "The token is too long.")
        now = self._clock()
        # Found by a piece of its signature, and then compared as a whole, signature included, by a hash that
        # nobody can make collide.
        verdicts = self._verdicts
        piece = raw[-SIGNATURE_CHARACTERS_KEPT:]
        verdict = verdicts.young.get(piece)
        if verdict is None and piece in verdicts.old:
            verdict = verdicts.get(piece)
        if verdict is not None and sha256(raw).digest() == verdict.digest:
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
                if verdict.confirmation is not None:
                    prove(verdict, request)
                return AccessToken(raw, verdict, now)
        try:
            head, body, tail, signing_input = split(raw)
            # Looked up here first: a call more would cost as much as the look-up.
            header = self._headers.young.get(head) or self._header(head)
        except JoseError as error:
            raise InvalidToken(error.reason, error.said_of("The token")) from None
        try:
            payload = base64url.decode(body)
            claims = decode_small_object(payload)
            issuer = unread_issuer(payload) if claims is None else claims.get("iss")
        except ValueError:
            raise InvalidToken("malformed", "The token's payload is not a base64url JSON object.") from None
        try:
            signature = base64url.decode(tail)
        except ValueError:
            raise InvalidToken("malformed", "The token's signature is not base64url.") from None
        verifier = self._by_issuer.get(issuer) if issuer.__class__ is str else None
        if verifier is None:
            verifier = self._of_any_issuer(issuer)
        hashed = sha256(signing_input)
        try:
            outcome = verifier.decide(header, claims, payload, signing_input, signature, hashed, now)
            if type(outcome) is not Verdict:  # `isinstance` asks the metaclass of a `Struct`
                deciding = cast("Deciding", outcome)
                return self._stages(deciding, verifier, raw, header, claims, request)
            hashed.update(b"." + tail)  # goes on from the signing input to the whole
            outcome.digest = hashed.digest()
            verdicts.put(piece, outcome)
            if outcome.confirmation is not None:
                prove(outcome, request)
        except AuthError as error:
            raise _told(error, header, verifier) from None
        return AccessToken(raw, outcome, now, claims)

    def _stages(  # noqa: PLR0917 - what is known so far, so that nothing is found out again
        self,
        deciding: Deciding,
        verifier: JwtVerifier | SameIssuer,
        raw: bytes,
        header: Header,
        claims: ClaimsSet | None,
        request: Incoming | None,
    ) -> Stages:
        try:
            verdict = yield from deciding
            if verdict.may_be_kept:
                verdict.digest = sha256(raw).digest()
                self._verdicts.put(raw[-SIGNATURE_CHARACTERS_KEPT:], verdict)
            if verdict.confirmation is not None:
                prove(verdict, request)
        except AuthError as error:
            raise _told(error, header, verifier) from None
        return AccessToken(raw, verdict, verdict.since, claims)

    def _header(self, segment: bytes) -> Header:
        header = self._headers.get(segment)
        if header is None:
            header = parse_header(segment)
            if len(segment) <= MAX_CACHED_HEADER_BYTES:
                self._headers.put(segment, header)
        return header

    def _of_any_issuer(self, issuer: Any) -> JwtVerifier | SameIssuer:
        """The providers that take the tokens of issuers that no other has (RFC 7519, section 4.1.1)."""
        if issuer is not None and issuer.__class__ is not str:
            raise InvalidToken("invalid_claim", "The token's 'iss' claim is malformed.")
        chosen = self._by_issuer.get(None)
        if chosen is not None:
            return chosen
        if issuer is None:
            raise InvalidToken("missing_claim", "The token has no 'iss' claim.")
        raise InvalidToken("issuer", NOT_TRUSTED)


def _told(error: AuthError, header: Header, verifier: JwtVerifier | SameIssuer) -> AuthError:
    """Add for operators what was asked for, and of whom."""
    error.kid = header.kid
    if isinstance(verifier, JwtVerifier):
        error.provider = verifier.provider.name
    return error
