"""A logout that a provider tells of by itself: from the text of its logout token to a revocation.

The token is verified by the keys of the provider that its `iss` chooses, as an access token is, but with
checks of its own: neither may pass as the other. The revocation is written before the token's `jti` is spent,
so that a store that fails in between never loses a logout: the provider tells again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from bearerguard._core.denylist import Entry, Naming, named
from bearerguard._core.logout_token import TYPES, Logout, compose_logout_checks, logout_in
from bearerguard._flows.effects import Ear, KeySource, SpendOnce, WriteRevocation
from bearerguard._flows.jwt import NOT_TRUSTED, Effect, SameIssuer, Verdict
from bearerguard._flows.revocation import name_of_issuer
from bearerguard._flows.tenants import tenant_checks
from bearerguard._flows.trust import by_keys_of
from bearerguard._jose import base64url
from bearerguard._jose.hashing import sha256_of
from bearerguard._jose.jose_error import JoseError
from bearerguard._jose.json_object import decode_small_object
from bearerguard._jose.jws import parse_header, split
from bearerguard._limits import MAX_TOKEN_BYTES
from bearerguard.errors import InvalidToken
from bearerguard.provider import Provider

if TYPE_CHECKING:
    from bearerguard._flows.pipeline import Pipeline
    from bearerguard._flows.trust import OneVerifier


class Logouts:
    """Takes logout tokens for one client.

    Args:
        client_id: the client that providers tell.
        requires_exp: whether a logout token needs an `exp`.
        clock: seconds since 1970.
        naming: makes names of whom was logged out.
        ear: keeps the list of revocations.
    """

    def __init__(
        self, client_id: str, requires_exp: bool, clock: Callable[[], float], naming: Naming, ear: Ear
    ) -> None:
        self._client_id = client_id
        self._requires_exp = requires_exp
        self._clock = clock
        self._naming = naming
        self._ear = ear

    def take(self, pipeline: Pipeline, text: bytes) -> Generator[Effect, Any, tuple[Logout, Provider]]:
        """Verify a logout token, and take back what it names.

        Args:
            pipeline: knows whose keys are whose.
            text: the token.

        Returns:
            Who was logged out, and the provider that says so.

        Raises:
            AuthError: it is refused, or something that is needed is away.
        """
        if len(text) > MAX_TOKEN_BYTES:
            raise InvalidToken("too_large", "The token is too long.")
        try:
            head, body, tail, signing_input = split(text)
            header = parse_header(head)
            payload, signature = base64url.decode(body), base64url.decode(tail)
            claims = decode_small_object(payload)
        except JoseError as error:
            raise InvalidToken(error.reason, error.said_of("The token")) from None
        except ValueError:
            raise InvalidToken("malformed", "The token is not three parts of base64url.") from None
        issuer = None if claims is None else claims.get("iss")
        if claims is None or not isinstance(issuer, str):
            raise InvalidToken("issuer", NOT_TRUSTED)
        found = yield from pipeline.trusted_for(issuer)
        if not found:
            raise InvalidToken("issuer", NOT_TRUSTED)
        verifier = SameIssuer(tuple(self._verifier(provider, source) for provider, source in found))
        digest = sha256_of(signing_input)
        outcome = verifier.decide(header, claims, payload, signing_input, signature, digest, self._clock())
        verdict = outcome if isinstance(outcome, Verdict) else (yield from outcome)
        logout = logout_in(claims, verdict.until)
        yield from self._carry_out(logout, name_of_issuer(verdict.provider, issuer))
        return logout, verdict.provider

    def _carry_out(self, logout: Logout, issuer: str) -> Generator[Effect, Any, None]:
        name = named(self._naming, logout.kind, issuer, logout.value)
        yield WriteRevocation(self._ear, Entry(name, logout.at))
        spent = named(self._naming, "logout", issuer, logout.token_id)
        is_new: bool = yield SpendOnce(self._ear, spent, logout.until - self._clock())
        if not is_new:
            raise InvalidToken("logout_replayed", "The logout token was used before: each is good once.")

    def _verifier(self, provider: Provider, source: KeySource) -> OneVerifier:
        check = compose_logout_checks(
            leeway=provider.leeway,
            client_id=self._client_id,
            requires_exp=self._requires_exp,
            also=tenant_checks(provider),
        )
        return by_keys_of(provider, source, self._clock, TYPES, check, refuses_other_kinds=False)
