"""bearerguard's AuthenticateMiddleware around the same Starlette application."""

from __future__ import annotations

from bearerguard.starlette import AuthenticateMiddleware
from bench import requests
from bench.cases import Cases
from bench.material import AUDIENCE, ISSUER, Material


def cases(material: Material, url: str) -> Cases:
    """One provider under the seed's own arguments, its keys given as an object."""
    providers = {"issuer": {"issuer": ISSUER, "audience": AUDIENCE, "keys": material.key_set("RS256")}}
    return requests.request_cases(material, AuthenticateMiddleware(requests.application(), providers))
