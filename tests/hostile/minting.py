"""Tokens of any shape, signed by any key: what an attacker can write, and what no library would.

One issuer stands still in time, so that tables of tokens are data.
"""

from __future__ import annotations

import base64
import hmac
import json
import warnings
from collections.abc import Mapping
from typing import Any

from bearerguard import ResourceServer, SecurityWarning
from bearerguard.testing import Clock, Issuer, SigningKey

NOW = 1_700_000_000
ISSUER = "https://issuer.test"
AUDIENCE = "https://api.test"
CANARY = "canary-in-a-claim"
"""A claim's value that no answer may show, and no log before the signature was verified: the subject."""

issuer = Issuer(ISSUER, audience=AUDIENCE, clock=Clock(NOW))
attacker = Issuer("https://attacker.test", audience=AUDIENCE, clock=Clock(NOW))

HEADER: Mapping[str, Any] = {"typ": "at+jwt"}
CLAIMS: Mapping[str, Any] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "exp": NOW + 3600,
    "nbf": NOW - 60,
    "iat": NOW - 60,
    "sub": CANARY,
    "jti": "7f3a",
    "client_id": "client-1",
    "scope": "orders:read",
}
ABSENT = object()
"""In place of a member's value: leave the member out."""


def server(**overrides: Any) -> ResourceServer:
    """A resource server that trusts the issuer, whose keys it was given."""
    return ResourceServer(issuer.provider(**{"keys": issuer.jwks(), **overrides}), clock=issuer.clock)


def unchecked_server(**overrides: Any) -> ResourceServer:
    """A resource server that was told to do without a check, and warns of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return server(**overrides)


def fetching_server(**overrides: Any) -> ResourceServer:
    """One that fetches the keys, and has them."""
    fetching = ResourceServer(issuer.provider(**overrides), clock=issuer.clock)
    fetching.warm_up()
    return fetching


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def text(value: Mapping[str, Any] | bytes) -> bytes:
    """A mapping as JSON without what is `ABSENT`; bytes as they are."""
    if isinstance(value, bytes):
        return value
    return json.dumps({name: item for name, item in value.items() if item is not ABSENT}).encode()


def sign(
    header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes, key: SigningKey, alg: str
) -> str:
    """A compact JWS of exactly these bytes."""
    signing_input = f"{b64(text(header))}.{b64(text(payload))}"
    return f"{signing_input}.{b64(key.sign(alg, signing_input.encode()))}"


def key_for(alg: str, owner: Issuer = issuer) -> SigningKey:
    """The key of an issuer that signs with an algorithm."""
    owner.token(alg=alg)  # an issuer makes its keys when it signs
    return owner._keys.current(alg)


def token(alg: str = "ES256", *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
    """A valid token of the issuer, but for what is given."""
    key = key_for(alg)
    whole = {"alg": alg, "kid": key.kid, **HEADER, **(header or {})}
    return sign(whole, {**CLAIMS, **claims}, key, alg)


def with_payload(payload: bytes, alg: str = "ES256") -> str:
    """A token with any bytes for a payload, properly signed."""
    key = key_for(alg)
    return sign({"alg": alg, "kid": key.kid, **HEADER}, payload, key, alg)


def with_raw_header(header: bytes, alg: str = "ES256") -> str:
    """A token with any bytes for a header, properly signed."""
    return sign(header, CLAIMS, key_for(alg), alg)


def symmetric(secret: bytes, alg: str, kid: Any) -> str:
    """A token that a secret of any length, or none, signed."""
    header = {"alg": alg, "kid": kid, **HEADER}
    signed = f"{b64(text(header))}.{b64(text(CLAIMS))}"
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), f'sha{alg[2:]}'))}"
