"""Issuers of many tenants, written once: a text with a place for the tenant, which is also a claim's value.

`https://login.example/{tid}/v2.0` stands for the issuers of all tenants of a provider that signs for all with
common keys. The tenant in `iss` and the one in the claim have to be the same (RFC 7519, section 4.1.1: an
issuer is compared as a whole). It says nothing of which tenants are trusted.
"""

from __future__ import annotations

import re

from msgspec import Struct

from bearerguard._core.claims import ClaimCheck, ClaimsSet, refuse_missing
from bearerguard.errors import InvalidToken

_PLACE = r"\{([^{}]*)\}"
_TENANT = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?"
_CLAIM = r"[A-Za-z_][A-Za-z0-9_:]{0,63}"


class IssuerTemplate(Struct, frozen=True):
    """An issuer with a place for the tenant.

    Attributes:
        before: the text before the place.
        claim: the claim that has the tenant.
        after: the text after the place.
    """

    before: str
    claim: str
    after: str

    def issuer_of(self, tenant: str) -> str:
        """Return the issuer of one tenant.

        Examples:
            >>> template_of("https://login.example/{tid}/v2.0").issuer_of("a1")
            'https://login.example/a1/v2.0'
        """
        return f"{self.before}{tenant}{self.after}"

    def fits(self, issuer: str) -> bool:
        """Whether an issuer may be one of a tenant: nothing else of it is known yet."""
        return (
            issuer.startswith(self.before)
            and issuer.endswith(self.after)
            and is_tenant(issuer[len(self.before) : len(issuer) - len(self.after)])
        )

    def is_of(self, named: str) -> bool:
        """Whether a text is this template too, whatever its place is called: `{tenantid}`, for one."""
        return re.sub(_PLACE, "{}", named) == f"{self.before}{{}}{self.after}"


def has_place(issuer: str) -> bool:
    """Whether a text has something in braces, as no issuer has."""
    return "{" in issuer or "}" in issuer


def template_of(issuer: str) -> IssuerTemplate | None:
    """Return the template that a text is; None where it has no place, several, or one that names no claim."""
    places = re.findall(_PLACE, issuer)
    if len(places) != 1 or not re.fullmatch(_CLAIM, places[0]):
        return None
    before, _, after = issuer.partition(f"{{{places[0]}}}")
    return None if has_place(before + after) else IssuerTemplate(before, places[0], after)


def is_tenant(text: str) -> bool:
    """Whether a text may stand in the place of a tenant: letters, digits, `.`, `_` and `-`."""
    return re.fullmatch(_TENANT, text) is not None


def bound_to_tenant(template: IssuerTemplate) -> ClaimCheck:
    """Return the check that `iss` is the issuer of the tenant that the claim names."""

    def check(claims: ClaimsSet) -> None:
        tenant = claims.get(template.claim)
        if tenant is None:
            refuse_missing(template.claim)
        if not isinstance(tenant, str) or claims.get("iss") != template.issuer_of(tenant):
            raise InvalidToken(
                "invalid_claim", f"The token's {template.claim!r} claim does not go with its issuer."
            )

    return check
