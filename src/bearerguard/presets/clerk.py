"""Clerk.

Facts from Clerk's pages "Session tokens" (version 2) and "Manual JWT verification", of which excerpts were
read on 2026-11-28: a session token has no `aud`; `azp` is the origin of the page that asked for it, and has
to be compared, or another site on a subdomain could use it; the role in the active organization stands in
`o.rol` (version 1: `org_role`); tokens live a minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from bearerguard.presets._inputs import base_url, host, names, provider, refuse, text
from bearerguard.provider import Profile, Provider

__all__ = ["clerk"]

_PROFILE = Profile("CLERK", frozenset({None, "jwt"}), ("sub", "sid", "iat"), refuses_other_kinds=True)


def clerk(frontend_api: str, *, authorized_parties: str | Iterable[str], **options: Any) -> Provider:
    """Clerk: session tokens of an application.

    Args:
        frontend_api: the Frontend API URL: `"https://clerk.shop.example"`, or `"https://....clerk.accounts.dev"`.
        authorized_parties: the origins of the pages that may use this API, `"https://shop.example"`.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: a key in place of the address, an authorized party that is not an origin.

    Examples:
        >>> clerk("https://clerk.shop.example", authorized_parties="https://shop.example").audience_claim
        'azp'
    """
    name = text("clerk", "frontend_api", frontend_api, "https://clerk.shop.example")
    if name.startswith(("pk_", "sk_")):
        refuse(
            "clerk",
            "frontend_api is a key: write the Frontend API URL from API keys, and replace a secret key",
        )
    issuer = f"https://{host('clerk', 'frontend_api', name, 'https://clerk.shop.example')}"
    if issuer in ("https://dashboard.clerk.com", "https://clerk.com", "https://api.clerk.com"):
        refuse(
            "clerk",
            f"frontend_api is {name!r:.200}, which is Clerk's own: write the Frontend API URL from API keys, "
            "as 'https://clerk.shop.example'",
        )
    parties = [_origin(party) for party in names(authorized_parties)]
    if not parties:
        refuse(
            "clerk",
            "authorized_parties is empty: name the origins of your pages, as ['https://shop.example']. The "
            "tokens have no audience, so without it any site that Clerk serves for you could use this API",
        )
    settings = {
        "issuer": issuer,
        "audience": parties,
        "audience_claim": "azp",
        "keys": f"{issuer}/.well-known/jwks.json",
        "algorithms": "RS256",
        "profile": _PROFILE,
        "roles_claim": [["o", "rol"], ["org_role"]],
    }
    return provider(settings, options)


def _origin(party: str) -> str:
    address = base_url("clerk", "authorized_parties", party, "https://shop.example")
    if urlsplit(address).path:
        refuse("clerk", f"authorized_parties has {address!r:.200}: write the origin only, without a path")
    return address
