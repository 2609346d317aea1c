"""python-jose with the key set in hand, a dictionary from which it makes its keys at each call; no EdDSA."""

from __future__ import annotations

import functools

from jose import jwt

from bench.cases import Cases, loop, token_cases
from bench.material import SUBJECTS, Material


def cases(material: Material, url: str) -> Cases:
    """`jwt.decode` with issuer and audience."""
    found: Cases = {}
    required = {f"require_{claim}": True for claim in ("iss", "aud", "exp")}
    for algorithm, kind in SUBJECTS:
        if algorithm == "EdDSA":
            continue
        verify = functools.partial(
            jwt.decode,
            key=material.key_set(f"{algorithm}.{kind.name}"),
            algorithms=[algorithm],
            audience=kind.audience,
            issuer=kind.issuer,
            options=required,
        )
        found |= token_cases(material, algorithm, kind, loop(verify))
    return found
