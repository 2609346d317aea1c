"""Long texts are hashed in pieces, so that a thread keeps the interpreter's lock, and to the same hash."""

from __future__ import annotations

import hashlib

import pytest

from bearerguard._jose.hashing import sha256_of
from bearerguard._limits import HASHED_AT_ONCE as PIECE


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 1, 16 * 1024])
def test_it_is_the_sha_256_of_the_whole(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    assert sha256_of(data) == hashlib.sha256(data).digest()


def test_a_piece_is_too_short_for_hashlib_to_let_go_of_the_lock() -> None:
    """From 2,048 bytes on it does: `HASHLIB_GIL_MINSIZE` of CPython, since 2.7."""
    assert PIECE < 2048
