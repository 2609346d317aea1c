from __future__ import annotations

from typing import Any

import pytest

from bearerguard._core.validator import usable_validator
from tests.names import plain


@pytest.mark.parametrize("usable", ['"1"', 'W/"1"', '""', '"' + "a" * 1022 + '"'])
def test_a_validator_that_can_be_sent_back_is_kept(usable: str) -> None:
    assert usable_validator(usable) == usable


@pytest.mark.parametrize(
    "unusable",
    [
        '"café"', '"caf\udce9"', '"a\tb"', '"a\x7f"', "", " ", ' "a"', "*", "unquoted", '"a", "b"', 'w/"1"',
        '"' + "a" * 1023 + '"', None, 5, b'"1"',
    ],
    ids=plain,
)  # fmt: skip
def test_what_is_not_a_validator_is_not_kept(unusable: Any) -> None:
    assert usable_validator(unusable) is None
