"""joserfc with its key set and claims registry in hand."""

from __future__ import annotations

from joserfc import jwt
from joserfc.jwk import KeySet

from bench.cases import Cases, loop, token_cases
from bench.material import ALGORITHMS, AUDIENCE, ISSUER, Material


def cases(material: Material, url: str) -> Cases:
    """`jwt.decode` and the validation of `iss`, `aud` and `exp`."""
    found: Cases = {}
    claims = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )
    for algorithm in ALGORITHMS:
        keys = KeySet.import_key_set(material.key_set(algorithm))  # type: ignore[arg-type]

        def verify(token: str, keys: KeySet = keys, allowed: tuple[str, ...] = (algorithm,)) -> None:
            claims.validate(jwt.decode(token, keys, algorithms=list(allowed)).claims)

        found |= token_cases(material, algorithm, loop(verify))
    return found
