"""CVE-2026-32597 (PyJWT), CVE-2025-59420 (Authlib), CVE-2026-35042 (fast-jwt), python-jose #413,
jsonwebtoken.

Elsewhere a token whose header says that an extension must be understood was accepted by code that does not
understand it. Here none is understood, so every `crit` is refused (RFC 7515, section 4.1.11).
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting


@pytest.mark.parametrize(
    "crit",
    [
        ["bork"],
        ["exp"],
        ["alg"],
        ["b64"],
        ["cnf"],
        ["http://example.com/UNDEFINED"],
        [],
        [1],
        "exp",
        None,
        {},
        0,
        False,
    ],
    ids=repr,
)
def test_a_token_with_a_critical_extension_is_refused(crit: Any) -> None:
    assert verdict(minting.server(), minting.token(header={"crit": crit, "bork": True})) == "critical"


def test_an_extension_that_is_not_critical_is_ignored() -> None:
    """RFC 7515, section 4: what is not understood and not critical must be ignored."""
    assert verdict(minting.server(), minting.token(header={"bork": True})) == ACCEPTED
