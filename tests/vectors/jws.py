"""A JWS verified by the library's own parts, for vectors that are not access tokens.

The payloads of vectors are any bytes, without claims, so `ResourceServer` would refuse them all. This puts
the parts together as the pipeline does: split, header, key set, signature.
"""

from __future__ import annotations

from typing import Any

from bearerguard._jose import base64url
from bearerguard._jose.algorithms import ALGORITHMS
from bearerguard._jose.jose_error import JoseError
from bearerguard._jose.jws import parse_header, split
from bearerguard._jose.key_material import UnusableKeys, read_keys
from bearerguard._jose.key_set import KeyIndex
from bearerguard.errors import InvalidToken


def payload_of(jws: str, keys: Any) -> bytes:
    """The payload of a JWS whose signature verifies.

    Args:
        jws: the text.
        keys: a JWK or a JWK set, as in any vector file: private members are taken out first.

    Raises:
        InvalidToken: it does not verify, or this library does not take it.
    """
    try:
        head, body, tail, _ = split(jws.encode())
        header = parse_header(head)
    except JoseError as error:
        raise InvalidToken(error.reason, error.said_of("The text")) from None
    if header.alg not in ALGORITHMS:
        raise InvalidToken("algorithm", "No such algorithm.")
    try:
        payload, signature = base64url.decode(body), base64url.decode(tail)
    except ValueError:
        raise InvalidToken("malformed", "Not base64url.") from None
    try:
        usable = KeyIndex(read_keys(public_part(keys), allow_secret=True)[0])
    except UnusableKeys:
        raise InvalidToken("unknown_key", "No usable key.") from None
    named = usable.named.get((header.alg, header.kid), ())
    for verify in named or usable.unnamed(header.alg, header.kid):
        if verify(signature, head + b"." + body):
            return payload
    raise InvalidToken("signature", "The signature does not verify.")


def public_part(keys: Any) -> Any:
    """The keys without their private members; the secret of an `oct` key stays."""
    if "keys" in keys:
        return {"keys": [public_part(key) for key in keys["keys"]]}
    return {name: value for name, value in keys.items() if name not in {"d", "p", "q", "dp", "dq", "qi"}}
