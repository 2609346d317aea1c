"""The issuer's metadata: one document for OpenID Connect Discovery 1.0 section 4 and RFC 8414 section 3."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from bearerguard.testing.endpoints.endpoint import Endpoint, State

__all__ = ["metadata", "well_known"]


def metadata(state: State, endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document: what OpenID Connect asks for, and what each endpoint says of itself."""
    document: dict[str, Any] = {
        "issuer": state.issuer,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(state.algorithms),
    }
    for endpoint in endpoints:
        document[endpoint.called] = f"{state.issuer.rstrip('/')}{endpoint.path}"
        document |= endpoint.metadata
    return document


def well_known(state: State) -> tuple[str, str]:
    """The two paths at which it is looked for."""
    path = urlsplit(state.issuer).path.rstrip("/")
    return f"{path}/.well-known/openid-configuration", f"/.well-known/oauth-authorization-server{path}"
