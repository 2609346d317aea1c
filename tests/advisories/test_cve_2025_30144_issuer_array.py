"""CVE-2025-30144 (fast-jwt), CVE-2026-75509 (joserfc).

Elsewhere an array with the right issuer among others passed as `iss`. Here `iss` is a string (RFC 7519,
section 4.1.1), and an array of strings is not one, whatever is in it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.advisories.verdict import verdict
from tests.hostile import minting

ISSUER = minting.ISSUER


@pytest.mark.parametrize(
    "issuer",
    [
        [ISSUER],
        [ISSUER, "https://attacker.test"],
        ["https://attacker.test", ISSUER],
        [],
        [[ISSUER]],
        {ISSUER: 1},
        1,
        True,
    ],
    ids=repr,
)
def test_an_issuer_that_is_not_a_string_is_refused(issuer: Any) -> None:
    assert verdict(minting.server(), minting.token(iss=issuer)) == "invalid_claim"
    lax = minting.unchecked_server(issuer=None, name="any", dangerously_accept_any_issuer=True)
    assert verdict(lax, minting.token(iss=issuer)) == "invalid_claim"
