"""Authlib: its RFC 9068 validator for resource servers, the key set in hand.

It takes no other tokens: those that providers issue lack the `typ` or a claim of that profile, so it is
measured with the example only.
"""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import KeySet

from bench.cases import Cases, loop, token_cases
from bench.material import EXAMPLE, Material


def cases(material: Material, url: str) -> Cases:
    """`authenticate_token` and `validate_token`, no scope asked for; EdDSA is not among its defaults."""
    found: Cases = {}
    for algorithm in ("RS256", "ES256"):
        # Their types want a dict of their own; a key set as it was read is what a user has.
        keys = KeySet.import_key_set(material.key_set(f"{algorithm}.example"))  # type: ignore[arg-type]

        class Validator(JWTBearerTokenValidator):  # type: ignore[misc]
            """The documented way: a subclass that hands out the keys."""

            def get_jwks(self, keys: KeySet = keys) -> KeySet:
                return keys

        validator: Any = Validator(EXAMPLE.issuer, EXAMPLE.audience)

        def verify(token: str, validator: Any = validator) -> None:
            validator.validate_token(validator.authenticate_token(token), [], None)

        found |= token_cases(material, algorithm, EXAMPLE, loop(verify))
    return found
