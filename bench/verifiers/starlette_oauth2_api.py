"""starlette-oauth2-api 0.2.6: `claims`, without what its middleware does around it; no EdDSA."""

from __future__ import annotations

from starlette_oauth2_api import AuthenticateMiddleware

from bench import requests
from bench.cases import Cases, loop, token_cases
from bench.material import SUBJECTS, Material, providers_of


def cases(material: Material, url: str) -> Cases:
    """Its verification of a token, and its middleware around a Starlette application."""
    found: Cases = {}
    for algorithm, kind in SUBJECTS:
        if algorithm != "EdDSA":
            middleware = AuthenticateMiddleware(None, providers_of(material, [kind], algorithm))
            found |= token_cases(material, algorithm, kind, loop(middleware.claims))
    return found | requests.request_cases(
        material,
        lambda kind: AuthenticateMiddleware(requests.application(), providers_of(material, [kind])),
    )
