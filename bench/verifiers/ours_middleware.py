"""bearerguard's AuthenticateMiddleware around the same Starlette application."""

from __future__ import annotations

from bearerguard.starlette import AuthenticateMiddleware
from bench import requests
from bench.cases import Cases
from bench.material import Material, providers_of
from bench.verifiers.ours import remember_little


def cases(material: Material, url: str) -> Cases:
    """One provider under the seed's own arguments, its keys given as an object."""
    remember_little()
    return requests.request_cases(
        material,
        lambda kind: AuthenticateMiddleware(requests.application(), providers_of(material, [kind])),
    )
