"""CVE-2025-27144 (go-jose), CVE-2025-30204 (golang-jwt), CVE-2025-22868 (golang.org/x/oauth2/jws).

Elsewhere a token of nothing but dots was split into as many strings. Here it is split three times at the
most, and not at all where it is too long.
"""

from __future__ import annotations

import tracemalloc

import pytest

from tests.advisories.verdict import verdict
from tests.hostile import minting


@pytest.mark.parametrize(
    ("dots", "reason"), [(10_000_000, "too_large"), (16_384, "malformed"), (5, "malformed")]
)
def test_dots_are_not_made_into_parts(dots: int, reason: str) -> None:
    token, server = "." * dots, minting.server()
    verdict(server, "...")
    tracemalloc.start()
    try:
        assert verdict(server, token) == reason
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 256 * 1024
