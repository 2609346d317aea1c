"""DPoP proofs of any shape, signed by any key: what a client can send, and what no library would."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from bearerguard import DPoP, Request, ResourceServer
from bearerguard._jose.jwk import import_jwk
from bearerguard.testing import SigningKey, signing_key
from tests.hostile import minting
from tests.hostile.minting import ABSENT, NOW

URL = "https://api.test/orders"
KEY = signing_key("P-256")
"""The client's."""
THIEF = signing_key("P-256")
ALGORITHMS = {
    "RSA": "PS256",
    "P-256": "ES256",
    "P-384": "ES384",
    "P-521": "ES512",
    "Ed25519": "Ed25519",
}

_numbers = iter(range(10**9))


def thumbprint(key: SigningKey) -> str:
    return import_jwk(key.public_jwk(), allow_secret=False).thumbprint


def jwk(key: SigningKey) -> dict[str, Any]:
    """The public key as a proof has it."""
    return {name: value for name, value in key.public_jwk().items() if name not in ("kid", "use")}


def bound(key: SigningKey = KEY, **claims: Any) -> str:
    """A valid token that is bound to a key."""
    return minting.token(**{"cnf": {"jkt": thumbprint(key)}, **claims})


TOKEN = bound()
PLAIN = minting.token()


def ath(token: str) -> str:
    digest = hashlib.sha256(token.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def header(key: SigningKey = KEY, **members: Any) -> dict[str, Any]:
    return {"typ": "dpop+jwt", "alg": ALGORITHMS[key.key_type], "jwk": jwk(key), **members}


def claims(token: str = TOKEN, **changes: Any) -> dict[str, Any]:
    """What a good proof says, each time with a `jti` of its own."""
    return {
        "jti": f"proof-{next(_numbers)}",
        "htm": "GET",
        "htu": URL,
        "iat": NOW,
        "ath": ath(token),
        **changes,
    }


def proof(
    token: str = TOKEN,
    *,
    key: SigningKey = KEY,
    head: Mapping[str, Any] | bytes | None = None,
    body: bytes | None = None,
    **changes: Any,
) -> str:
    """A good proof but for what is given.

    Args:
        token: for which it is made.
        key: signs it.
        head: members of the header that replace or add; or all of it, as bytes.
        body: all of the payload, as bytes.
        **changes: claims that replace or add; `ABSENT` leaves one out.
    """
    whole = head if isinstance(head, bytes) else {**header(key), **(head or {})}
    return minting.sign(
        whole, claims(token, **changes) if body is None else body, key, ALGORITHMS[key.key_type]
    )


def server(dpop: DPoP | None = None, **options: Any) -> ResourceServer:
    """A server that takes bound tokens, with the issuer's keys in hand."""
    provider = minting.issuer.provider(keys=minting.issuer.jwks())
    settings: dict[str, Any] = {"clock": minting.issuer.clock, **options}
    return ResourceServer(provider, dpop=DPoP() if dpop is None else dpop, **settings)


def request(
    *proofs: str | bytes, token: str = TOKEN, scheme: str = "DPoP", method: str = "GET", url: str = URL
) -> Request:
    """A request of a program that presents a token, with any number of proofs."""
    fields: list[tuple[str, str | bytes]] = [("Authorization", f"{scheme} {token}")]
    return Request(method, url, [*fields, *(("DPoP", one) for one in proofs)])


__all__ = ["ABSENT", "NOW"]
