"""Okta.

Facts from Okta's pages "Validate access tokens", "Authorization servers" and "Token claims", as known on
2026-11-28, without reading them anew: only tokens of custom authorization servers (`default` is one) are
meant for APIs of others; `cid` names the client and `scp` is an array of scopes; both are in every access
token and in no ID token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bearerguard.presets._inputs import host, names, provider, refuse
from bearerguard.provider import Profile, Provider

__all__ = ["okta"]

_PROFILE = Profile("OKTA", frozenset({None, "jwt", "at+jwt"}), ("cid",), refuses_other_kinds=True)
_SERVER = re.compile(r"[A-Za-z0-9]{1,64}")
_CLIENT_ID = re.compile(r"0oa[A-Za-z0-9]{17}")


def okta(domain: str, audience: str | Iterable[str], *, server: str = "default", **options: Any) -> Provider:
    """Okta: access tokens of a custom authorization server.

    Args:
        domain: the organization's domain, or your own: `"shop.okta.com"`.
        audience: the audience of the authorization server, `"api://default"` unless you changed it.
        server: its id, from Security, API: `"default"`, or such as `"aus1a2b3c4d5e6f7g8h9"`.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: the domain of the admin console, the organization's own authorization server, or
            a client id as the audience.

    Examples:
        >>> okta("shop.okta.com", "api://default").issuer
        'https://shop.okta.com/oauth2/default'
    """
    name = host("okta", "domain", domain, "shop.okta.com")
    if re.fullmatch(r"[^.]+-admin\.(?:okta|oktapreview|okta-emea)\.com", name):
        refuse(
            "okta",
            f"domain is {name!r}, that of the admin console: write it without '-admin'",
        )
    if not isinstance(server, str) or not _SERVER.fullmatch(server):
        refuse(
            "okta",
            f"server is {server!r:.80}: write the id of a custom authorization server, as 'default'. Tokens "
            "of the organization's own server are for Okta only, and nobody else can verify them",
        )
    for given in names(audience):
        if _CLIENT_ID.fullmatch(given):
            refuse(
                "okta",
                f"audience is {given!r}, which looks like a client id: that is the aud of ID tokens. Write "
                "the audience of the authorization server, as 'api://default'",
            )
    settings = {
        "issuer": f"https://{name}/oauth2/{server}",
        "audience": audience,
        "algorithms": "RS256",
        "profile": _PROFILE,
        "client_claim": "cid",
        "scope_claim": "scp",
        "roles_claim": "groups",
    }
    return provider(settings, options)
