"""CVE-2025-61920 (Authlib).

Elsewhere a segment of 500 MB was decoded, at eight times its size. Here the length is looked at first, and
nothing is made of a token that is longer than 16 KiB.
"""

from __future__ import annotations

import tracemalloc

import pytest

from bearerguard import InvalidToken
from tests.advisories.verdict import verdict
from tests.hostile import minting

MEGABYTE = 2**20
SIZE = 16 * MEGABYTE


@pytest.mark.parametrize("part", range(3))
def test_a_huge_segment_costs_nothing(part: int) -> None:
    parts = minting.token().split(".")
    parts[part] = "A" * SIZE
    token, server = ".".join(parts), minting.server()
    tracemalloc.start()
    try:
        assert verdict(server, token) == "too_large"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEGABYTE


def test_a_huge_header_field_is_not_multiplied() -> None:
    value, server = b"Bearer " + b"A" * SIZE, minting.server()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidToken) as refusal:
            server.authenticate([(b"authorization", value)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refusal.value.reason == "too_large"
    assert peak < 3 * SIZE
