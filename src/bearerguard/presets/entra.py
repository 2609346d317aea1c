"""Microsoft Entra ID (formerly Azure AD).

Facts from Microsoft's pages "Access token claims reference", "Claims validation" and "Access tokens in the
Microsoft identity platform", of which excerpts were read on 2026-11-28: v2 tokens come from
`login.microsoftonline.com` and name the API by its client id; v1 tokens come from `sts.windows.net` and name
it as it was asked for; the setting `requestedAccessTokenVersion` of the API's manifest says which it gets,
and not the endpoint that the client used. `azp` (v2) or `appid` (v1) is in every access token and in no ID
token. Keys of the common set name the issuer that they sign for, as a template with `{tenantid}` where that
is every tenant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Literal

from bearerguard.presets._inputs import GUID, names, provider, refuse, text
from bearerguard.provider import Profile, Provider, RemoteKeys

__all__ = ["entra"]

_LOGIN = "https://login.microsoftonline.com"
_TYPES = frozenset({None, "jwt", "at+jwt"})
_PROFILES = {
    "v2": Profile("ENTRA_V2", _TYPES, ("azp",), refuses_other_kinds=True),
    "v1": Profile("ENTRA_V1", _TYPES, ("appid",), refuses_other_kinds=True),
}
_GRAPH = {"00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com", "https://graph.windows.net"}
_SCOPE = re.compile(rf"api://{GUID.pattern}/.+")
_MANY = ("common", "organizations", "consumers")


def entra(
    tenant_id: str | None,
    audience: str | Iterable[str],
    *,
    version: Literal["v1", "v2"] = "v2",
    tenants: str | Iterable[str] | Callable[[str], bool] | None = None,
    **options: Any,
) -> Provider:
    """Microsoft Entra ID: access tokens of one tenant, or of those that you name.

    Args:
        tenant_id: the directory (tenant) id, a GUID; None where `tenants` says whom to trust.
        audience: the application (client) id of the API. For v1 tokens also `api://...`, as clients ask for
            it.
        version: `requestedAccessTokenVersion` in the manifest of the API: 2 is `"v2"`; null and 1 are `"v1"`.
        tenants: for an API of many tenants: their ids, or a function that is given the `tid` of a verified
            token and returns True.
        **options: arguments of `Provider` that replace or add to these.

    Raises:
        ConfigurationError: a tenant that is not a GUID, an audience that such tokens never name, Graph's.

    Examples:
        >>> provider = entra("11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000")
        >>> provider.issuer
        'https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0'
    """
    if version not in tuple(_PROFILES):
        refuse("entra", f"version is {version!r:.40}: write 'v1' or 'v2'")
    _check_audience(audience, version)
    if tenant_id is None:
        tenant, tenants = "{tid}", _many(tenants)
    else:
        if tenants is not None:
            refuse("entra", "tenant_id= and tenants= exclude each other: write entra(None, ..., tenants=...)")
        tenant = _guid("tenant_id", tenant_id)
        if tenant in {name.lower() for name in names(audience)}:
            refuse(
                "entra",
                f"audience is {tenant!r}, the tenant once more: write the application (client) id of the API",
            )
    place = "common" if tenant_id is None else tenant
    issuer = f"{_LOGIN}/{tenant}/v2.0" if version == "v2" else f"https://sts.windows.net/{tenant}/"
    path = f"{place}/v2.0" if version == "v2" else place
    settings = {
        "issuer": issuer,
        "audience": audience,
        "keys": RemoteKeys(metadata_url=f"{_LOGIN}/{path}/.well-known/openid-configuration"),
        "algorithms": "RS256",
        "profile": _PROFILES[version],
        "tenants": tenants,
        "client_claim": "azp" if version == "v2" else "appid",
        "scope_claim": "scp",
    }
    return provider(settings, options)


def _guid(what: str, given: Any) -> str:
    name = text("entra", what, given, "11111111-2222-3333-4444-555555555555").lower()
    if name in _MANY:
        refuse(
            "entra",
            f"{what} is {name!r}, which stands for everybody's tenants: write entra(None, ..., "
            "tenants=[...]) with those that you trust",
        )
    if not GUID.fullmatch(name):
        refuse(
            "entra",
            f"{what} is {name!r:.200}: write the directory (tenant) id from the overview of the directory, a "
            "GUID; tokens never carry a domain in its place",
        )
    return name


def _many(tenants: Any) -> Any:
    if tenants is None:
        refuse(
            "entra",
            "tenant_id is None and tenants is left out: name the tenants to trust, or give a function. "
            "Anybody can get a tenant of their own",
        )
    return tenants if callable(tenants) else [_guid("tenants", name) for name in names(tenants)]


def _check_audience(audience: Any, version: str) -> None:
    given = names(audience)
    for name in given:
        if name.rstrip("/") in _GRAPH:
            refuse(
                "entra",
                f"audience is {name!r}, Microsoft Graph: only Graph can verify its tokens. Have the client "
                "ask for a scope of this API, as 'api://<client id>/access_as_user'",
            )
        if name.endswith("/.default") or _SCOPE.fullmatch(name.lower()):
            refuse("entra", f"audience is {name!r:.200}, which is a scope: write the API's client id")
    if version == "v2" and given and not any(GUID.fullmatch(name.lower()) for name in given):
        refuse(
            "entra",
            f"audience is {given[0]!r:.200}, but v2 tokens name the API by its application (client) id: "
            "write that GUID; or, if requestedAccessTokenVersion in the manifest is null or 1, version='v1'",
        )
