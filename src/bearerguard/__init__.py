"""bearerguard: an OAuth 2.0 resource server for Python.

It decides whether a request may reach an API, from the access token that the request carries. The public
names are here; the doors to frameworks are modules of their own (`bearerguard.starlette`, ...), imported by
those who use them. Nothing here imports a framework or an HTTP client.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bearerguard.errors import (
    AccessDenied,
    AuthError,
    ConfigurationError,
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidDPoPProof,
    InvalidRequest,
    InvalidToken,
    MissingCredentials,
    ProviderUnavailable,
    SecurityWarning,
    TooManyProofs,
    UseDPoPNonce,
)
from bearerguard.provider import ID_TOKEN, JWT, RFC9068, Profile, Provider, RemoteKeys
from bearerguard.request import Request
from bearerguard.server import ResourceServer
from bearerguard.token import AccessToken, limit_verdict_memory

if TYPE_CHECKING:
    from bearerguard.certificate import ClientCertificate
    from bearerguard.dpop import DPoP
    from bearerguard.logout import BackChannelLogout

    # Of OpenAPI 2.0, so not in `__all__`; here because layabauth's programs import them from here. The `as`
    # tells type checkers that a name is passed on.
    from bearerguard.openapi import authorizations as authorizations
    from bearerguard.openapi import method_authorizations as method_authorizations
    from bearerguard.provider import Cookie, Header, Introspection
    from bearerguard.revocation import Revocation
    from bearerguard.rules import (
        Rule,
        any_scope,
        authenticated,
        bound,
        claim,
        client,
        fresh,
        permission,
        role,
        scope,
        subject,
    )

__all__ = [
    "ID_TOKEN",
    "JWT",
    "RFC9068",
    "AccessDenied",
    "AccessToken",
    "AuthError",
    "BackChannelLogout",
    "ClientCertificate",
    "ConfigurationError",
    "Cookie",
    "DPoP",
    "Header",
    "InsufficientScope",
    "InsufficientUserAuthentication",
    "Introspection",
    "InvalidDPoPProof",
    "InvalidRequest",
    "InvalidToken",
    "MissingCredentials",
    "Profile",
    "Provider",
    "ProviderUnavailable",
    "RemoteKeys",
    "Request",
    "ResourceServer",
    "Revocation",
    "Rule",
    "SecurityWarning",
    "TooManyProofs",
    "UseDPoPNonce",
    "any_scope",
    "authenticated",
    "bound",
    "claim",
    "client",
    "fresh",
    "limit_verdict_memory",
    "permission",
    "role",
    "scope",
    "subject",
]


_WHERE = {
    "BackChannelLogout": "bearerguard.logout",
    "ClientCertificate": "bearerguard.certificate",
    "Cookie": "bearerguard.provider",
    "DPoP": "bearerguard.dpop",
    "Header": "bearerguard.provider",
    "Introspection": "bearerguard.provider",
    "Revocation": "bearerguard.revocation",
    "Rule": "bearerguard.rules",
    "any_scope": "bearerguard.rules",
    "authenticated": "bearerguard.rules",
    "authorizations": "bearerguard.openapi",
    "bound": "bearerguard.rules",
    "claim": "bearerguard.rules",
    "client": "bearerguard.rules",
    "fresh": "bearerguard.rules",
    "method_authorizations": "bearerguard.openapi",
    "permission": "bearerguard.rules",
    "role": "bearerguard.rules",
    "scope": "bearerguard.rules",
    "subject": "bearerguard.rules",
}
"""What few programs need is loaded where somebody asks for it: it would take a fifth of the import.

So are rules: a door loads them, and a program that only has tokens verified needs none.
"""


def __getattr__(name: str) -> Any:
    """`bearerguard.__version__`, and names that are looked up only where somebody asks."""
    if name in _WHERE:
        found = globals()[name] = getattr(importlib.import_module(_WHERE[name]), name)
        return found
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - it loads `email`, and few ever ask

        return version("bearerguard")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """All names, for those who have them completed."""
    return sorted({*globals(), *_WHERE, "__version__"})
