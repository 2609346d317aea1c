"""Keycloak, and products made of it.

Facts from Keycloak's Server Administration Guide ("Audience support", "Role mappings", "Protocol mappers")
and "Configuring the hostname (v2)", as known on 2026-11-28, without reading them anew: the claim `typ` says
what a token is, `Bearer` or `DPoP` for an access token; `aud` is `account` until a mapper adds the API's;
roles of the realm stand in `realm_access`, those of a client in `resource_access` below its id; the issuer is
the public address, also where it is asked at another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bearerguard.presets._inputs import base_url, names, provider, refuse, text
from bearerguard.provider import Provider, RemoteKeys

__all__ = ["keycloak"]

_REALM = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~@+-]{1,255}")


def keycloak(
    url: str,
    realm: str,
    audience: str | Iterable[str],
    *,
    client: str | None = None,
    internal_url: str | None = None,
    dangerously_allow_http: bool = False,
    **options: Any,
) -> Provider:
    """Keycloak: access tokens of a realm.

    Args:
        url: the public address, as browsers know it: `"https://login.shop.example"`. Up to Keycloak 16 it
            ends in `/auth`.
        realm: the name of the realm.
        audience: what an audience mapper puts into `aud` for this API, most often its client id.
        client: whose client roles count, beside those of the realm; without it only the realm's do.
        internal_url: where the API reaches Keycloak, where that is another address than the public one.
        dangerously_allow_http: reach it there over plain http.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: `account` as the audience, an address that names a realm.

    Examples:
        >>> provider = keycloak("https://login.shop.example", "shop", "orders-api", client="orders-api")
        >>> provider.issuer
        'https://login.shop.example/realms/shop'
    """
    address = base_url("keycloak", "url", url, "https://login.shop.example")
    name = text("keycloak", "realm", realm, "shop")
    if "/realms/" in f"{address}/" or "/admin" in address:
        refuse(
            "keycloak",
            f"url is {address!r:.200}: write the address before '/realms/', and the realm as its own "
            "argument",
        )
    if not _REALM.fullmatch(name):
        refuse("keycloak", f"realm is {name!r:.200}: write its name only, as 'shop'")
    if "account" in names(audience):
        refuse(
            "keycloak",
            "audience is 'account', which nearly every token of the realm names, whatever API it is for: "
            "add an audience mapper for this API to a client scope, and write what that puts into aud",
        )
    roles: Any = ["realm_access", "roles"]
    if client is not None:
        roles = [roles, ["resource_access", text("keycloak", "client", client, "orders-api"), "roles"]]
    settings: dict[str, Any] = {
        "issuer": f"{address}/realms/{name}",
        "audience": audience,
        "required_claims": {"typ": ("Bearer", "DPoP")},
        "roles_claim": roles,
    }
    if internal_url is None and dangerously_allow_http:
        refuse("keycloak", "dangerously_allow_http goes with internal_url=: give that, or leave it out")
    if internal_url is not None:
        inside = base_url("keycloak", "internal_url", internal_url, "https://keycloak.internal:8443")
        settings["keys"] = RemoteKeys(
            metadata_url=f"{inside}/realms/{name}/.well-known/openid-configuration",
            dangerously_allow_http=dangerously_allow_http,
        )
    return provider(settings, options)
