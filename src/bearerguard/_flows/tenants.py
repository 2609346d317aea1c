"""Tokens of many tenants whose provider signs for all of them with common keys.

A key of such a set may name the one issuer that it signs for: then it vouches for no other. Whether a tenant
is trusted is asked last, of a token whose signature was checked. Nothing here is fetched for a tenant.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from bearerguard._core.claims import ClaimCheck, ClaimsSet
from bearerguard._core.issuer_template import IssuerTemplate, bound_to_tenant, has_place
from bearerguard._flows.jwt import NOT_TRUSTED, Deciding, JwtVerifier, Verdict, unread_issuer
from bearerguard._jose.jws import Header
from bearerguard._jose.key_set import KeyIndex
from bearerguard.errors import InvalidToken
from bearerguard.provider import Provider


class TenantVerifier(JwtVerifier, frozen=True):
    """A provider of many tenants, where its keys are, and its checks."""

    def decide(self, *parts: Any) -> Verdict | Deciding:
        """Decide as `JwtVerifier.decide`; then compare the key's own issuer, if it has one.

        Raises:
            AuthError: the first check that fails.
        """
        header, claims, payload = parts[:3]
        outcome = super().decide(*parts)
        if isinstance(outcome, Verdict):
            check_key_issuer(outcome.keys, header, _issuer_in(claims, payload))
            return outcome
        return self._then(outcome, header, claims, payload)

    def _then(self, deciding: Deciding, header: Header, claims: ClaimsSet | None, payload: bytes) -> Deciding:
        verdict = yield from deciding
        check_key_issuer(verdict.keys, header, _issuer_in(claims, payload))
        return verdict


def check_key_issuer(keys: KeyIndex, header: Header, issuer: Any) -> None:
    """A key that names an issuer signs for that one only, and one that names a template for all tenants.

    Where several keys could have been meant, all that name an issuer have to name this one.
    """
    for key in keys.all:
        if header.kid is not None and key.kid not in (header.kid, None):
            continue
        named = key.issuer
        if named is not None and named != issuer and not has_place(named):
            raise InvalidToken("unknown_key", NOT_TRUSTED)


def _issuer_in(claims: ClaimsSet | None, payload: bytes) -> Any:
    return unread_issuer(payload) if claims is None else claims.get("iss")


def tenant_checks(provider: Provider) -> tuple[ClaimCheck, ...]:
    """The checks of an issuer with a place for the tenant, in order; none for other providers."""
    template, tenants = provider.issuer_template, provider.tenants
    if template is None:
        return ()
    return (bound_to_tenant(template), _of_trusted_tenant(template, tenants))


def _of_trusted_tenant(template: IssuerTemplate, tenants: Any) -> ClaimCheck:
    """The tenant is one of those that are named, or of which the function says True and nothing else."""
    named = cast("Collection[str]", ()) if callable(tenants) else frozenset(tenants)

    def check(claims: ClaimsSet) -> None:
        tenant = claims[template.claim]
        if tenant in named or (callable(tenants) and tenants(tenant) is True):
            return
        raise InvalidToken("issuer", NOT_TRUSTED)

    return check
