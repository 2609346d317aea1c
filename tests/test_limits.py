from __future__ import annotations

from typing import Any

import pytest

from bearerguard import _limits as limits
from bearerguard._jose.algorithms import ASYMMETRIC


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TOKEN_BYTES", 16_384),
        ("DEFAULT_LEEWAY", 10),
        ("MAX_LEEWAY", 300),
        ("CACHED_TOKENS", 4096),
        ("MIN_RSA_BITS", 2048),
        ("MAX_RSA_BITS", 8192),
        ("MAX_KEYS_TRIED", 4),
        ("MAX_KEYS", 100),
        ("MAX_KEY_SET_BYTES", 524_288),
        ("KEY_SET_LIFETIME", 600),
        ("MIN_KEY_SET_LIFETIME", 60),
        ("MAX_KEY_SET_LIFETIME", 86_400),
        ("REFRESH_AHEAD", 0.8),
        ("STALE_IF_ERROR", 3600),
        ("COOLDOWN", 30),
        ("FETCH_TIMEOUT", 5),
    ],
)
def test_a_default_that_users_rely_on_is_not_changed_by_accident(name: str, value: Any) -> None:
    assert getattr(limits, name) == value


def test_the_default_algorithms_are_the_asymmetric_ones() -> None:
    families = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}
    assert families | {"EdDSA", "Ed25519"} == ASYMMETRIC


def test_a_refresh_that_is_put_off_furthest_still_comes_before_the_end() -> None:
    assert limits.REFRESH_AHEAD + limits.REFRESH_JITTER < 1
