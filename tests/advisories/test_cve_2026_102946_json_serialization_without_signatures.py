"""CVE-2026-102946 (joserfc).

Elsewhere a JSON serialization with an empty array of signatures verified, since none of them was wrong.
Here only the compact form is a token: one signature, or it is refused.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.advisories.verdict import verdict
from tests.hostile import minting

HEAD, BODY, TAIL = minting.token().split(".")


@pytest.mark.parametrize(
    "serialized",
    [
        {"payload": BODY, "signatures": []},
        {"payload": BODY, "signatures": [{}]},
        {"payload": BODY, "signatures": [{"protected": HEAD, "signature": ""}]},
        {"payload": BODY, "signatures": [{"protected": HEAD, "signature": TAIL}]},
        {"payload": BODY, "protected": HEAD, "signature": TAIL},
        {"payload": BODY},
        [{"payload": BODY, "protected": HEAD, "signature": TAIL}],
    ],
)
def test_a_json_serialization_is_not_a_token(serialized: Any) -> None:
    for text in (json.dumps(serialized), json.dumps(serialized, separators=(",", ":"))):
        assert verdict(minting.server(), text) == "malformed"
        assert verdict(minting.server(), minting.b64(text.encode())) == "malformed"
