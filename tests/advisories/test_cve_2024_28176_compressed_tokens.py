"""CVE-2024-28176 (jose), CVE-2024-28180 (go-jose), CVE-2024-33664 (python-jose), CVE-2025-62706 (Authlib),
CVE-2024-29371 (jose4j), CVE-2024-21319 (Microsoft).

Elsewhere a small encrypted token with `zip` was inflated to gigabytes. Here encrypted tokens are refused by
the number of their parts, and `zip` in a signed one means nothing: nothing is ever inflated.
"""

from __future__ import annotations

import json
import zlib

import pytest

from tests.advisories.verdict import verdict
from tests.hostile import minting

BOMB = minting.b64(zlib.compress(bytes(5_000_000), 9, -15))


@pytest.mark.parametrize("alg", ["dir", "RSA-OAEP", "RSA1_5", "A128KW", "ECDH-ES", "PBES2-HS256+A128KW"])
@pytest.mark.parametrize("zip_", ["DEF", "GZ", None])
def test_an_encrypted_token_is_refused_before_anything_is_made_of_it(alg: str, zip_: str | None) -> None:
    header = minting.b64(json.dumps({"alg": alg, "enc": "A128GCM", "zip": zip_}).encode())
    assert verdict(minting.server(), f"{header}.AAAA.AAAA.{BOMB}.AAAA") == "encrypted"
    assert verdict(minting.server(), f"{header}..AAAA.{BOMB}.AAAA") == "encrypted"


def test_a_signed_token_that_says_it_is_compressed_is_read_as_it_stands() -> None:
    key = minting.key_for("ES256")
    header: dict[str, object] = {"alg": "ES256", "kid": key.kid, "zip": "DEF"}
    token = minting.sign(header, zlib.compress(minting.text(minting.CLAIMS), 9, -15), key, "ES256")
    assert verdict(minting.server(), token) == "malformed"
    header["crit"] = ["zip"]
    assert (
        verdict(minting.server(), minting.sign(header, minting.text(minting.CLAIMS), key, "ES256"))
        == "critical"
    )


def test_a_payload_that_is_compressed_is_not_a_payload() -> None:
    assert verdict(minting.server(), minting.with_payload(minting.unb64(BOMB))) == "malformed"
