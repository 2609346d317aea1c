"""starlette-oauth2-api 0.2.6: `claims`, without what its middleware does around it; no EdDSA."""

from __future__ import annotations

from starlette_oauth2_api import AuthenticateMiddleware

from bench import requests
from bench.cases import Cases, loop, token_cases
from bench.material import AUDIENCE, ISSUER, Material


def providers(material: Material, algorithm: str) -> dict[str, dict[str, object]]:
    """The providers as its page shows them, the keys given as an object."""
    return {"issuer": {"issuer": ISSUER, "audience": AUDIENCE, "keys": material.key_set(algorithm)}}


def cases(material: Material, url: str) -> Cases:
    """Its verification of a token, and its middleware around a Starlette application."""
    found: Cases = {}
    for algorithm in ("RS256", "ES256"):
        middleware = AuthenticateMiddleware(None, providers(material, algorithm))
        found |= token_cases(material, algorithm, loop(middleware.claims))
    protected = AuthenticateMiddleware(requests.application(), providers(material, "RS256"))
    return found | requests.request_cases(material, protected)
