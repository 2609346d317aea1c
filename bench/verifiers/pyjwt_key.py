"""PyJWT with the key in hand: no key set, the header's `kid` is not looked at."""

from __future__ import annotations

import jwt

from bench.cases import Cases, loop, token_cases
from bench.material import ALGORITHMS, AUDIENCE, ISSUER, Material
from bench.verifiers.pyjwt import REQUIRED


def cases(material: Material, url: str) -> Cases:
    """`jwt.decode` with a `PyJWK` made once."""
    found: Cases = {}
    for algorithm in ALGORITHMS:
        key = jwt.PyJWK(material.key_set(algorithm)["keys"][0])

        def verify(token: str, key: jwt.PyJWK = key, allowed: tuple[str, ...] = (algorithm,)) -> object:
            return jwt.decode(token, key, allowed, audience=AUDIENCE, issuer=ISSUER, options=REQUIRED)

        found |= token_cases(material, algorithm, loop(verify))
    return found
