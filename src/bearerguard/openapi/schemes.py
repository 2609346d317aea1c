"""How an API's documentation says which tokens it takes: the security objects of OpenAPI, as plain values.

`authorizations` and `method_authorizations` are of OpenAPI 2.0; the others are Security Scheme Objects and
Security Requirement Objects of OpenAPI 3. They describe and enforce nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from bearerguard._core.address import metadata_addresses, why_insecure
from bearerguard.errors import ConfigurationError
from bearerguard.provider import Provider

__all__ = [
    "Flow",
    "authorizations",
    "bearer_scheme",
    "dpop_scheme",
    "method_authorizations",
    "mutual_tls_scheme",
    "oauth2_scheme",
    "openid_connect_scheme",
    "provider_scheme",
    "security_requirement",
]

Flow = Literal["authorizationCode", "clientCredentials", "implicit"]

_ADDRESSES: dict[str, tuple[str, ...]] = {
    "authorizationCode": ("authorizationUrl", "tokenUrl"),
    "clientCredentials": ("tokenUrl",),
    "implicit": ("authorizationUrl",),
}
"""What a flow must have (OpenAPI 3.1.1, section 4.8.29)."""


# -- OpenAPI 2.0 -----------------------------------------------------------------------------------------


def authorizations(auth_url: str, scopes: Mapping[str, str]) -> dict[str, Any]:
    """Return the security definitions of an API: one, `oauth2`, by the implicit flow.

    Args:
        auth_url: the provider's authorization endpoint.
        scopes: each scope with its description.

    Examples:
        >>> authorizations("https://login.example/authorize", {"read": "Read orders"}).keys()
        dict_keys(['oauth2'])
    """
    return {
        "oauth2": {
            "type": "oauth2",
            "flow": "implicit",
            "authorizationUrl": auth_url,
            "scopes": dict(scopes),
        }
    }


def method_authorizations(*scopes: str) -> dict[str, Any]:
    """Return what an operation asks for: all these scopes of the definition `oauth2`.

    Examples:
        >>> method_authorizations("read", "write")
        {'security': [{'oauth2': ('read', 'write')}]}
    """
    return {"security": [{"oauth2": scopes}]}


# -- OpenAPI 3 -------------------------------------------------------------------------------------------


def oauth2_scheme(
    scopes: Mapping[str, str],
    *,
    authorization_url: str | None = None,
    token_url: str | None = None,
    refresh_url: str | None = None,
    flows: Iterable[Flow] | None = None,
) -> dict[str, Any]:
    """Return the security scheme of an API whose clients get tokens by OAuth 2.0.

    Args:
        scopes: each scope with its description.
        authorization_url: the provider's authorization endpoint.
        token_url: the provider's token endpoint.
        refresh_url: where tokens are refreshed, if elsewhere.
        flows: the flows to describe. By default the one that the addresses are for: authorization code with
            both, client credentials with only `token_url`, implicit with only `authorization_url`.

    Raises:
        ConfigurationError: an address that a flow needs is missing.

    Examples:
        >>> scheme = oauth2_scheme({"read": "Read orders"}, token_url="https://login.example/token")
        >>> scheme["flows"]
        {'clientCredentials': {'tokenUrl': 'https://login.example/token', 'scopes': {'read': 'Read orders'}}}
    """
    given = {"authorizationUrl": authorization_url, "tokenUrl": token_url}
    chosen = (_flow_of(authorization_url, token_url),) if flows is None else tuple(flows)
    described: dict[str, Any] = {}
    if not chosen or not _ADDRESSES.keys() >= set(chosen):
        raise ConfigurationError(f"flows is {chosen!r}: choose from {', '.join(_ADDRESSES)}.")
    for flow in chosen:
        addresses = {name: given[name] for name in _ADDRESSES[flow]}
        missing = [name for name, address in addresses.items() if not address]
        if missing:
            raise ConfigurationError(f"The flow {flow} has no {' and no '.join(missing)}: give the address.")
        refresh = {} if refresh_url is None else {"refreshUrl": refresh_url}
        described[flow] = {**addresses, **refresh, "scopes": dict(scopes)}
    return {"type": "oauth2", "flows": described}


def openid_connect_scheme(issuer: str) -> dict[str, Any]:
    """Return the security scheme of an API whose provider publishes OpenID Connect metadata.

    Args:
        issuer: the provider's issuer, from which the address of the metadata follows.

    Examples:
        >>> openid_connect_scheme("https://login.example/shop")["openIdConnectUrl"]
        'https://login.example/shop/.well-known/openid-configuration'
    """
    return {"type": "openIdConnect", "openIdConnectUrl": metadata_addresses(issuer)[0]}


def bearer_scheme(bearer_format: str = "JWT") -> dict[str, Any]:
    """Return the security scheme of an API that says nothing about where tokens come from (RFC 6750).

    Args:
        bearer_format: a hint at the form of the token.

    Examples:
        >>> bearer_scheme()
        {'type': 'http', 'scheme': 'bearer', 'bearerFormat': 'JWT'}
    """
    return {"type": "http", "scheme": "bearer", "bearerFormat": bearer_format}


def dpop_scheme() -> dict[str, Any]:
    """Return the security scheme of the key that a token is bound to (RFC 9449).

    It stands beside that of the token in one requirement, and says how the token is presented.

    Examples:
        >>> dpop_scheme()["scheme"]
        'DPoP'
    """
    return {
        "type": "http",
        "scheme": "DPoP",
        "description": "The token as `Authorization: DPoP`, with a proof in the field `DPoP` (RFC 9449)",
    }


def mutual_tls_scheme() -> dict[str, Any]:
    """Return the security scheme of the client certificate that a token is bound to (RFC 8705).

    It stands beside that of the token in one requirement. OpenAPI has it from 3.1 on (section 4.8.27).

    Examples:
        >>> mutual_tls_scheme()["type"]
        'mutualTLS'
    """
    return {
        "type": "mutualTLS",
        "description": "The client's certificate, for a token that is bound to it (RFC 8705)",
    }


def provider_scheme(
    provider: Provider, metadata: Mapping[str, Any], scopes: Mapping[str, str]
) -> dict[str, Any]:
    """Return the security scheme of a provider's tokens: how a client gets one, as far as that is known.

    Args:
        provider: whose tokens.
        metadata: what its issuer says of itself (RFC 8414), as from `ResourceServer.metadata`. Endpoints that
            are not https, but for those that the provider's keys might come from too, are left out.
        scopes: each scope with its description.

    Examples:
        >>> provider = Provider("https://login.example", audience="https://api.example")
        >>> provider_scheme(provider, {}, {})["scheme"]
        'bearer'
    """
    if provider.source is not None:
        from bearerguard.provider import Header  # noqa: PLC0415 - loaded by those who have it

        place = "header" if isinstance(provider.source, Header) else "cookie"
        scheme = {"type": "apiKey", "in": place, "name": provider.source.name}
        return {**scheme, "description": f"A token of {provider.name}"}
    addresses = [metadata.get("authorization_endpoint"), metadata.get("token_endpoint")]
    allow_http = provider.remote_keys is not None and provider.remote_keys.dangerously_allow_http
    safe = [
        address
        for address in addresses
        if isinstance(address, str) and not why_insecure(address, allow_http=allow_http)
    ]
    if len(safe) == len(addresses):
        scheme = oauth2_scheme(scopes, authorization_url=safe[0], token_url=safe[1])
    else:
        scheme = bearer_scheme()
    return {**scheme, "description": f"A token of {provider.name}"}


def security_requirement(scheme: str, *scopes: str) -> dict[str, list[str]]:
    """Return what an operation asks for: a token of this scheme with all these scopes.

    Args:
        scheme: the name under which the scheme stands in `components.securitySchemes`.
        *scopes: none for an `http` scheme in OpenAPI 3.0.

    Examples:
        >>> {"security": [security_requirement("oauth2", "read")]}
        {'security': [{'oauth2': ['read']}]}
    """
    return {scheme: list(scopes)}


def _flow_of(authorization_url: str | None, token_url: str | None) -> Flow:
    if token_url is None and authorization_url is not None:
        return "implicit"
    return "clientCredentials" if authorization_url is None else "authorizationCode"
