"""Auth0.

Facts from Auth0's pages "Validate Access Tokens", "Access Token Profiles" and "Get Access Tokens", of which
excerpts were read on 2026-11-28: the issuer ends in a slash; `aud` is the identifier of the API, and a list
with `/userinfo` where the client asked for `openid`; a client that names no audience gets a token that only
Auth0 can read; permissions stand in `permissions` where RBAC of the API adds them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bearerguard.presets._inputs import host, names, provider, refuse
from bearerguard.provider import Provider

__all__ = ["auth0"]

_CLIENT_ID = re.compile(r"[A-Za-z0-9]{32}")


def auth0(domain: str, audience: str | Iterable[str], **options: Any) -> Provider:
    """Auth0: access tokens of an API.

    Args:
        domain: the tenant's domain, or your own: `"shop.eu.auth0.com"`.
        audience: the identifier of the API under Applications, APIs.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: a domain that is not one, or an audience that is not an API's of yours.

    Examples:
        >>> auth0("shop.eu.auth0.com", "https://api.shop.example").issuer
        'https://shop.eu.auth0.com/'
    """
    name = host("auth0", "domain", domain, "shop.eu.auth0.com")
    if name == "manage.auth0.com":
        refuse("auth0", "domain is that of the dashboard: write the tenant's, such as 'shop.eu.auth0.com'")
    for given in names(audience):
        if given.rstrip("/").endswith(("/userinfo", "/api/v2")) and name in given:
            refuse(
                "auth0",
                f"audience is {given!r:.200}, an API of Auth0 itself: write the identifier of yours, from "
                "Applications, APIs",
            )
        if _CLIENT_ID.fullmatch(given):
            refuse(
                "auth0",
                f"audience is {given!r}, which looks like a client id: that is the aud of ID tokens. Write "
                "the identifier of the API, from Applications, APIs",
            )
    settings = {"issuer": f"https://{name}/", "audience": audience, "algorithms": ["RS256", "PS256"]}
    return provider(settings, options)
