"""joserfc with its key set and claims registry in hand."""

from __future__ import annotations

from joserfc import jwt
from joserfc.jwk import KeySet

from bench.cases import Cases, loop, token_cases
from bench.material import SUBJECTS, Material


def cases(material: Material, url: str) -> Cases:
    """`jwt.decode` and the validation of `iss`, `aud` and `exp`."""
    found: Cases = {}
    for algorithm, kind in SUBJECTS:
        # Their types want a dict of their own; a key set as it was read is what a user has.
        keys = KeySet.import_key_set(material.key_set(f"{algorithm}.{kind.name}"))  # type: ignore[arg-type]
        claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": kind.issuer},
            aud={"essential": True, "value": kind.audience},
            exp={"essential": True},
        )

        def verify(
            token: str,
            keys: KeySet = keys,
            claims: jwt.JWTClaimsRegistry = claims,
            allowed: tuple[str, ...] = (algorithm,),
        ) -> None:
            claims.validate(jwt.decode(token, keys, algorithms=list(allowed)).claims)

        found |= token_cases(material, algorithm, kind, loop(verify))
    return found
