"""CVE-2026-107723 (fast-jwt).

Elsewhere a payload that was a JSON array passed, since no claim in it could be wrong. Here a payload is an
object (RFC 7519, section 7.2), and a claim that is not there is a check that fails.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.advisories.verdict import verdict
from tests.hostile import minting

LAX = minting.unchecked_server(
    issuer=None,
    name="any",
    audience=None,
    dangerously_accept_any_issuer=True,
    dangerously_accept_any_audience=True,
)
"""It checks what is left when nothing is configured."""


@pytest.mark.parametrize(
    "payload",
    [[], [dict(minting.CLAIMS)], list(minting.CLAIMS.items()), "claims", 1, 1.5, True, False, None],
    ids=lambda value: f"{value!r:.20}",
)
def test_a_payload_that_is_not_an_object_is_refused(payload: Any) -> None:
    token = minting.with_payload(json.dumps(payload).encode())
    assert verdict(minting.server(), token) == "malformed"
    assert verdict(LAX, token) == "malformed"


def test_an_object_without_claims_is_refused_even_where_nothing_is_configured() -> None:
    assert verdict(LAX, minting.with_payload(b"{}")) == "missing_claim"
