"""bearerguard: an OAuth 2.0 resource server for Python.

It decides whether a request may reach an API, from the access token that the request carries. The public
names are here; the doors to frameworks are modules of their own (`bearerguard.starlette`, ...), imported by
those who use them. Nothing here imports a framework or an HTTP client.
"""

from __future__ import annotations

from bearerguard.errors import (
    AccessDenied,
    AuthError,
    ConfigurationError,
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidRequest,
    InvalidToken,
    MissingCredentials,
    ProviderUnavailable,
    SecurityWarning,
)

# Of OpenAPI 2.0, so not in `__all__`; here because layabauth's programs import them from here. The `as` tells
# type checkers that a name is passed on.
from bearerguard.openapi import authorizations as authorizations
from bearerguard.openapi import method_authorizations as method_authorizations
from bearerguard.provider import ID_TOKEN, JWT, RFC9068, Profile, Provider, RemoteKeys
from bearerguard.request import Request
from bearerguard.rules import (
    Rule,
    any_scope,
    authenticated,
    claim,
    client,
    fresh,
    permission,
    role,
    scope,
    subject,
)
from bearerguard.server import ResourceServer, limit_verdict_memory
from bearerguard.token import AccessToken

__all__ = [
    "ID_TOKEN",
    "JWT",
    "RFC9068",
    "AccessDenied",
    "AccessToken",
    "AuthError",
    "ConfigurationError",
    "InsufficientScope",
    "InsufficientUserAuthentication",
    "InvalidRequest",
    "InvalidToken",
    "MissingCredentials",
    "Profile",
    "Provider",
    "ProviderUnavailable",
    "RemoteKeys",
    "Request",
    "ResourceServer",
    "Rule",
    "SecurityWarning",
    "any_scope",
    "authenticated",
    "claim",
    "client",
    "fresh",
    "limit_verdict_memory",
    "permission",
    "role",
    "scope",
    "subject",
]


def __getattr__(name: str) -> str:
    """`bearerguard.__version__`, looked up only where somebody asks."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - it loads `email`, and few ever ask

        return version("bearerguard")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
