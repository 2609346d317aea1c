"""Cloudflare Access: the application token that it adds to each request.

Facts from Cloudflare's "Application token" and "Validate JWTs", of which excerpts were read on 2026-11-28:
the token stands in `Cf-Access-Jwt-Assertion`; `aud` is the AUD tag of the application; `type` is `app` in it
and `org` in the token of the whole team; a service token is named in `common_name`, with an empty `sub`; keys
change every six weeks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bearerguard.presets._inputs import names, provider, refuse, text
from bearerguard.provider import Profile, Provider
from bearerguard.provider.sources import Header

__all__ = ["cloudflare_access"]

_TEAM = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TAG = re.compile(r"[0-9a-f]{64}")
_DOMAIN = ".cloudflareaccess.com"


def cloudflare_access(team: str, audience: str | Iterable[str], **options: Any) -> Provider:
    """Cloudflare Access: the assertion that it puts into `Cf-Access-Jwt-Assertion`.

    Args:
        team: the name of the team, `"shop"` in `shop.cloudflareaccess.com`.
        audience: the Application Audience (AUD) tag, 64 hexadecimal digits.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: what is not a team, or not an AUD tag.

    Examples:
        >>> cloudflare_access("shop", "a" * 64).issuer
        'https://shop.cloudflareaccess.com'
    """
    name = text("cloudflare_access", "team", team, "shop").lower()
    name = name.removeprefix("https://").rstrip("/").removesuffix(_DOMAIN)
    if not _TEAM.fullmatch(name):
        refuse("cloudflare_access", f"team is {name!r:.200}: write the name before {_DOMAIN!r}, as 'shop'")
    for tag in names(audience):
        if not _TAG.fullmatch(tag):
            refuse(
                "cloudflare_access",
                f"audience is {tag!r:.200}: write the Application Audience (AUD) tag from the overview of "
                "the application, 64 hexadecimal digits",
            )
    issuer = f"https://{name}{_DOMAIN}"
    settings = {
        "issuer": issuer,
        "audience": audience,
        "keys": f"{issuer}/cdn-cgi/access/certs",
        "algorithms": "RS256",
        "profile": Profile("CLOUDFLARE_ACCESS", frozenset({None, "jwt"}), ("iat",)),
        "required_claims": {"type": "app"},
        "client_claim": "common_name",
        "source": Header("cf-access-jwt-assertion"),
    }
    return provider(settings, options)
