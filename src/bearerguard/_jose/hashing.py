"""Hashes of texts that are signed, made without letting go of the interpreter's lock.

`hashlib` lets go of it while it hashes 2,048 bytes or more, of which others have little: to get it back
from a thread that works takes longer than to hash any token. A signature check lets go of it too, and
takes long enough.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from bearerguard._limits import HASHED_AT_ONCE


class Hashed(Protocol):
    """What was hashed so far."""

    def digest(self) -> bytes:
        """Return the hash."""
        ...


class Hashing(Hashed, Protocol):
    """The same, to be gone on with."""

    def update(self, data: bytes, /) -> None:
        """Hash more."""
        ...


def hash_of(data: bytes) -> Hashing:
    """Return the SHA-256 of a text that may be long."""
    state = hashlib.sha256(data[:HASHED_AT_ONCE])
    for start in range(HASHED_AT_ONCE, len(data), HASHED_AT_ONCE):
        state.update(data[start : start + HASHED_AT_ONCE])
    return state
