"""bearerguard's AuthenticateMiddleware around the same Starlette application."""

from __future__ import annotations

from bearerguard.starlette import AuthenticateMiddleware
from bench import requests
from bench.cases import Cases
from bench.material import Material, providers_of


def cases(material: Material, url: str) -> Cases:
    """One provider under the seed's own arguments, its keys given as an object."""
    return requests.request_cases(
        material,
        lambda kind: AuthenticateMiddleware(requests.application(), providers_of(material, [kind])),
    )
