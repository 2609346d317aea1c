"""Hashes of texts that are signed, made without letting go of the interpreter's lock.

`hashlib` lets go of it while it hashes 2,048 bytes or more, of which others have little: to get it back
from a thread that works takes longer than to hash any token. A signature check lets go of it too, and
takes long enough.
"""

from __future__ import annotations

import hashlib

from bearerguard._limits import HASHED_AT_ONCE


def sha256_of(data: bytes) -> bytes:
    """Return the SHA-256 of a text that may be long."""
    state = hashlib.sha256(data[:HASHED_AT_ONCE])
    for start in range(HASHED_AT_ONCE, len(data), HASHED_AT_ONCE):
        state.update(data[start : start + HASHED_AT_ONCE])
    return state.digest()
