"""python-jose with the key set in hand, a dictionary from which it makes its keys at each call; no EdDSA."""

from __future__ import annotations

from jose import jwt

from bench.cases import Cases, loop, token_cases
from bench.material import AUDIENCE, ISSUER, Material


def cases(material: Material, url: str) -> Cases:
    """`jwt.decode` with issuer and audience."""
    found: Cases = {}
    required = {f"require_{claim}": True for claim in ("iss", "aud", "exp")}
    for algorithm in ("RS256", "ES256"):
        keys = material.key_set(algorithm)

        def verify(token: str, keys: dict[str, object] = keys, algorithm: str = algorithm) -> object:
            return jwt.decode(
                token, keys, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER, options=required
            )

        found |= token_cases(material, algorithm, loop(verify))
    return found
