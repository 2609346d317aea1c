"""PyJWT with the key in hand: no key set, the header's `kid` is not looked at."""

from __future__ import annotations

import functools

import jwt

from bench.cases import Cases, loop, token_cases
from bench.material import SUBJECTS, Material
from bench.verifiers.pyjwt import REQUIRED


def cases(material: Material, url: str) -> Cases:
    """`jwt.decode` with a `PyJWK` made once."""
    found: Cases = {}
    for algorithm, kind in SUBJECTS:
        verify = functools.partial(
            jwt.decode,
            key=jwt.PyJWK(material.key_set(f"{algorithm}.{kind.name}")["keys"][0]),
            algorithms=(algorithm,),
            audience=kind.audience,
            issuer=kind.issuer,
            options=REQUIRED,
        )
        found |= token_cases(material, algorithm, kind, loop(verify))
    return found
