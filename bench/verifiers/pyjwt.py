"""PyJWT: with its JWKS client, which keeps the key set for five minutes, and with the key in hand."""

from __future__ import annotations

import jwt

from bench.cases import Cases, loop, token_cases
from bench.material import ALGORITHMS, AUDIENCE, ISSUER, Material

REQUIRED = {"require": ["iss", "aud", "exp"]}


def cases(material: Material, url: str) -> Cases:
    """PyJWKClient for each algorithm."""
    found: Cases = {}
    for algorithm in ALGORITHMS:
        client = jwt.PyJWKClient(f"{url}/{algorithm}.jwks.json")

        def verify(
            token: str, client: jwt.PyJWKClient = client, allowed: tuple[str, ...] = (algorithm,)
        ) -> object:
            key = client.get_signing_key_from_jwt(token)
            return jwt.decode(token, key, allowed, audience=AUDIENCE, issuer=ISSUER, options=REQUIRED)

        found |= token_cases(material, algorithm, loop(verify))
    return found
