"""PyJWT: with its JWKS client, which keeps the key set for five minutes, and with the key in hand."""

from __future__ import annotations

import functools
from typing import Any

import jwt

from bench.cases import Cases, loop, token_cases
from bench.material import SUBJECTS, Material

REQUIRED: Any = {"require": ["iss", "aud", "exp"]}


def cases(material: Material, url: str) -> Cases:
    """PyJWKClient for each algorithm and kind."""
    found: Cases = {}
    for algorithm, kind in SUBJECTS:
        client = jwt.PyJWKClient(f"{url}/{algorithm}.{kind.name}.jwks.json")
        decode = functools.partial(
            jwt.decode,
            algorithms=(algorithm,),
            audience=kind.audience,
            issuer=kind.issuer,
            options=REQUIRED,
        )

        def verify(
            token: str, client: jwt.PyJWKClient = client, decode: functools.partial[Any] = decode
        ) -> object:
            return decode(token, client.get_signing_key_from_jwt(token))

        found |= token_cases(material, algorithm, kind, loop(verify))
    return found
