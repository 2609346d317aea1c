"""The floor: the signature check that nothing in Python can do without, and nothing else.

The key is in hand, the signing input and the signature are bytes already: no splitting, no base64, no header,
no claims. ES256 alone includes the step from the raw signature of RFC 7518 section 3.4 to the DER that
`cryptography` takes, which every Python verifier pays. Every ratio in the report is against this.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

Signed = tuple[bytes, bytes]
"""A signing input and its signature."""


def signed(token: str) -> Signed:
    """Take a token apart, outside of what is measured."""
    message, _, signature = token.rpartition(".")
    return message.encode(), base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))


def run(algorithm: str, key: Any) -> Callable[[list[Signed]], None]:
    """The loop that is timed, with no function between it and `cryptography`.

    Args:
        algorithm: RS256, ES256 or EdDSA.
        key: The public key.

    Returns:
        A function that checks each of a batch and raises at the first bad signature.
    """
    verify = key.verify
    if algorithm == "RS256":
        pkcs1, sha256 = padding.PKCS1v15(), hashes.SHA256()

        def run_rs256(batch: list[Signed]) -> None:
            for message, signature in batch:
                verify(signature, message, pkcs1, sha256)

        return run_rs256
    if algorithm == "ES256":
        ecdsa, integer = ec.ECDSA(hashes.SHA256()), int.from_bytes

        def run_es256(batch: list[Signed]) -> None:
            for message, signature in batch:
                der = encode_dss_signature(integer(signature[:32], "big"), integer(signature[32:], "big"))
                verify(der, message, ecdsa)

        return run_es256

    def run_eddsa(batch: list[Signed]) -> None:
        for message, signature in batch:
            verify(signature, message)

    return run_eddsa
