"""GHSA-5739-39v2-5754 (web-token).

Elsewhere the algorithm was read from a header that the signature does not cover. Here the compact form has
one header, and the signature covers it.
"""

from __future__ import annotations

import json

import pytest

from tests.advisories.verdict import verdict
from tests.hostile import minting

HEAD, BODY, TAIL = minting.token().split(".")


@pytest.mark.parametrize("alg", ["none", "HS256", "ES256"])
def test_an_unprotected_header_is_never_read(alg: str) -> None:
    flattened = {"payload": BODY, "header": {"alg": alg}, "signature": TAIL}
    assert verdict(minting.server(), json.dumps(flattened)) == "malformed"
    assert verdict(minting.server(), json.dumps({**flattened, "protected": HEAD})) == "malformed"


@pytest.mark.parametrize("other", ["none", "HS256", "RS256", "PS256", "ES384"])
def test_the_header_is_covered_by_the_signature(other: str) -> None:
    for alg in ("ES256", "RS256", "EdDSA"):
        _, body, tail = minting.token(alg).split(".")
        kid = minting.key_for(alg).kid
        head = minting.b64(json.dumps({"alg": other, "kid": kid, "typ": "at+jwt"}).encode())
        if other != alg:
            assert verdict(minting.server(), f"{head}.{body}.{tail}") in {
                "algorithm",
                "signature",
                "unknown_key",
            }
    head = minting.b64(
        json.dumps({"alg": "ES256", "kid": minting.key_for("ES256").kid, "typ": "JWT"}).encode()
    )
    assert verdict(minting.server(), f"{head}.{BODY}.{TAIL}") == "signature"
