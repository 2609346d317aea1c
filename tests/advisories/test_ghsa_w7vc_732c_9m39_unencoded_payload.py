"""GHSA-w7vc-732c-9m39 (PyJWT).

Elsewhere `b64: false` (RFC 7797) had a payload handled that was never encoded, at a cost that a sender could
choose. Here `b64` is refused, critical or not, before the payload is looked at.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.advisories.verdict import verdict
from tests.hostile import minting


@pytest.mark.parametrize("b64", [False, True, None, 0, "false"], ids=repr)
@pytest.mark.parametrize("crit", [["b64"], minting.ABSENT], ids=["critical", "not critical"])
def test_a_token_that_mentions_b64_is_refused(b64: Any, crit: Any) -> None:
    assert verdict(minting.server(), minting.token(header={"b64": b64, "crit": crit})) == "critical"


@pytest.mark.parametrize("payload", ["", "{}", '{"iss":"https://issuer.test"}', "a.b", "A" * 10_000], ids=len)
def test_an_unencoded_or_detached_payload_is_refused(payload: str) -> None:
    header = minting.b64(b'{"alg":"ES256","b64":false,"crit":["b64"]}')
    assert verdict(minting.server(), f"{header}.{payload}.AAAA") in {"critical", "malformed"}
