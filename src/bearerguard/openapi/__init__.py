"""How an API's documentation says which tokens it takes: the security objects of OpenAPI, as plain values.

`schemes` has what programs write into documents of their own, `document` what a door needs to complete one.
They describe and enforce nothing.
"""

from __future__ import annotations

from bearerguard.openapi.schemes import (
    Flow,
    authorizations,
    bearer_scheme,
    dpop_scheme,
    method_authorizations,
    mutual_tls_scheme,
    oauth2_scheme,
    openid_connect_scheme,
    provider_scheme,
    security_requirement,
)

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
