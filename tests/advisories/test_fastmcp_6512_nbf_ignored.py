"""FastMCP 4.2.1 (#6512).

Elsewhere `nbf` was not looked at. Here `exp`, `nbf` and `iat` are, and each is a number or the token is
refused.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting

NOW = minting.NOW


@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NOW + 3600, "not_yet_valid"),
        (NOW + 11, "not_yet_valid"),
        (NOW + 10, ACCEPTED),
        (NOW, ACCEPTED),
        (minting.ABSENT, ACCEPTED),
        (str(NOW), "invalid_claim"),
        (True, "invalid_claim"),
        ([NOW], "invalid_claim"),
    ],
    ids=["an hour ahead", "past the leeway", "within it", "now", "absent", "text", "boolean", "array"],
)
def test_a_token_is_not_used_before_its_time(claim: str, value: Any, expected: str) -> None:
    assert verdict(minting.server(), minting.token(**{claim: value})) == expected


def test_a_token_that_does_not_end_is_refused() -> None:
    assert verdict(minting.server(), minting.token(exp=minting.ABSENT)) == "missing_claim"
    assert verdict(minting.server(), minting.token(exp=NOW - 10)) == "expired"
