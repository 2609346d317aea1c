"""By what hash the signature of a remembered token is known again, without being kept.

BLAKE2b (RFC 7693) is part of the interpreter; SHA-256 is a long way through OpenSSL, which a server that does
other work between two tokens has to walk cold each time. What is hashed here goes nowhere, so nobody else has
to agree.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol


class Hash(Protocol):
    """A hash function."""

    def __call__(self, data: bytes, /) -> Any:
        """Return an object whose `digest()` is the hash of the data."""
        ...


def or_sha512(blake2b: Hash | None) -> Hash:
    """Return BLAKE2b where this interpreter has it; one that is held to FIPS 140 may not.

    What stands in for it is as long, and so is never taken for a SHA-256.
    """
    try:
        if blake2b is not None:
            blake2b(b"")
            return blake2b
    except ValueError:
        pass
    return hashlib.sha512


fingerprint: Hash = or_sha512(getattr(hashlib, "blake2b", None))
"""Hashes what is behind the known part of a token."""
