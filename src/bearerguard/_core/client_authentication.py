"""How this API says who it is when it asks a provider: header fields and form members, as text.

RFC 6749 section 2.3.1, RFC 7523 section 2.2, RFC 8705 section 2, RFC 7662 section 2.1. Never by the token
that is asked about. It keeps nothing: an assertion is made anew for each attempt.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import msgspec

from bearerguard._jose import base64url
from bearerguard._limits import ASSERTION_LIFETIME

if TYPE_CHECKING:
    from bearerguard._jose.signing import SigningKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def basic(client_id: str, secret: str, *, form_encoded: bool = True) -> str:
    """Return the value of `Authorization` for `client_secret_basic`.

    Each half is form-encoded before the two are joined (RFC 6749, section 2.3.1), so that a colon in the id
    does not end it.

    Examples:
        >>> basic("orders:api", "a secret")
        'Basic b3JkZXJzJTNBYXBpOmErc2VjcmV0'
    """
    if form_encoded:
        # As a browser encodes a form: letters, digits and *-._ stay.
        client_id, secret = (quote_plus(half, safe="*").replace("~", "%7E") for half in (client_id, secret))
    return "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()


def client_assertion(client_id: str, issuer: str, key: SigningKey, *, now: float, jti: str) -> str:
    """Return the JWT of `private_key_jwt` (RFC 7523, section 3).

    Args:
        client_id: its issuer and its subject.
        issuer: its audience: of all that servers have taken, the one that names one server.
        key: what signs it.
        now: seconds since 1970.
        jti: its identifier, which is used once.
    """
    header = {"alg": key.algorithm, "typ": "JWT"}
    if key.kid is not None:
        header["kid"] = key.kid
    issued_at = int(now)
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "iat": issued_at,
        "exp": issued_at + ASSERTION_LIFETIME,
        "jti": jti,
    }
    signing_input = b".".join(base64url.encode(msgspec.json.encode(part)) for part in (header, claims))
    return (signing_input + b"." + base64url.encode(key.sign(signing_input))).decode()
