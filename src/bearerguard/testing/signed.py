"""What a JWT says, if one of some keys signed it: for tokens and assertions that an issuer is handed.

It judges the signature and nothing that is signed. It shares no code with the library under test.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from bearerguard.testing.signing_keys import ALGORITHMS, SigningKey

__all__ = ["signed_claims"]


def signed_claims(token: str, keys: Iterable[SigningKey]) -> dict[str, Any] | None:
    """The claims of a JWT that one of `keys` signed; None for whatever else is given."""
    message, _, signature = token.rpartition(".")
    try:
        header, payload = (_decoded(part) for part in message.split("."))
        algorithm, said = json.loads(header)["alg"], _decoded(signature)
        fitting = [key for key in keys if key.fits(algorithm)] if algorithm in ALGORITHMS else []
        if any(key.has_signed(algorithm, message.encode(), said) for key in fitting):
            claims = json.loads(payload)
            return claims if isinstance(claims, dict) else None
    except (ValueError, LookupError, TypeError):  # not base64url, not JSON, not the JSON of a JWT
        pass
    return None


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
