"""Long texts are hashed in pieces, so that a thread keeps the interpreter's lock, and to the same hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from bearerguard._jose.hashing import PIECE, hash_of


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 1, 16 * 1024])
@pytest.mark.parametrize("new", [hashlib.sha256, hashlib.sha384, hashlib.sha512])
def test_it_is_the_hash_of_the_whole(size: int, new: Callable[..., Any]) -> None:
    data = bytes(number % 251 for number in range(size))
    assert hash_of(data, new).digest() == new(data).digest()


def test_it_is_sha_256_by_default_and_goes_on() -> None:
    state = hash_of(b"a" * 5000)
    state.update(b".b")
    assert state.digest() == hashlib.sha256(b"a" * 5000 + b".b").digest()


@pytest.mark.parametrize("size", [1, PIECE, 3 * PIECE + 5])
def test_no_piece_is_so_long_that_the_lock_would_be_let_go(size: int) -> None:
    pieces: list[int] = []

    class Noting:
        def __init__(self, data: bytes) -> None:
            pieces.append(len(data))

        def update(self, data: bytes, /) -> None:
            pieces.append(len(data))

        def digest(self) -> bytes:
            return b""

    hash_of(bytes(size), Noting)
    assert sum(pieces) == size
    assert max(pieces) < 2048
