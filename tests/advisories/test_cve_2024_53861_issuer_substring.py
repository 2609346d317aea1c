"""CVE-2024-53861 (PyJWT).

Elsewhere `iss` was looked for in the configured issuer, so that any part of it passed. Here it is compared
whole, character by character.
"""

from __future__ import annotations

import pytest

from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting

PARTS = [
    "",
    "h",
    "https://",
    "issuer",
    "issuer.test",
    "https://issuer.tes",
    "://issuer.test",
    " https://issuer.test",
]
RELATIVES = [
    "https://issuer.test/",
    "HTTPS://ISSUER.TEST",
    "https://issuer.test.",
    "https://issuer.test\0",
    "https://issuer.test/x",
]


@pytest.mark.parametrize("issuer", [*PARTS, *RELATIVES], ids=repr)
def test_a_part_or_a_relative_of_the_issuer_is_another_issuer(issuer: str) -> None:
    assert verdict(minting.server(), minting.token(iss=issuer)) == "issuer"


def test_the_issuer_itself_is_accepted() -> None:
    assert verdict(minting.server(), minting.token(iss="https://issuer.test")) == ACCEPTED
