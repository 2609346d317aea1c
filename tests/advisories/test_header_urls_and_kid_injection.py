"""The class of `jku`, `x5u` and `kid` injections: key injection, path traversal, SQL by a header.

Elsewhere a header named the address, the file or the database row of the key. Here nothing is fetched from an
address in a token, and a `kid` is looked up in a dict of the keys in hand, and no more.
"""

from __future__ import annotations

import pytest

from tests.advisories.verdict import verdict
from tests.hostile import minting

ATTACKER = minting.key_for("ES256", minting.attacker)
URL = minting.attacker.jwks_uri


@pytest.mark.parametrize("member", ["jku", "x5u", "jwks_uri", "iss", "url"])
@pytest.mark.parametrize("url", [URL, "file:///dev/null", "http://127.0.0.1:1/", "//attacker.test/jwks"])
def test_an_address_in_a_header_is_never_fetched(member: str, url: str) -> None:
    server = minting.fetching_server()
    header = {"alg": "ES256", "kid": ATTACKER.kid, member: url}
    token = minting.sign(header, minting.CLAIMS, ATTACKER, "ES256")
    assert verdict(server, token) == "unknown_key"
    assert minting.attacker.requests == ()


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../../dev/null",
        "/proc/sys/kernel/randomize_va_space",
        "x' UNION SELECT 'AAAA",
        "key|/bin/id",
        "http://attacker.test/key",
        "key\0.pem",
        "\N{KEY}" * 512,
        "k" * 513,
    ],
    ids=lambda kid: ascii(kid[:30]),
)
@pytest.mark.parametrize("secret", [b"", b"\0", b"0", b"2", b"AAAA"], ids=repr)
def test_a_kid_is_a_name_and_nothing_that_is_opened_or_asked(kid: str, secret: bytes) -> None:
    """With the content of what it points at as the HMAC secret, and with the attacker's own key."""
    server = minting.server()
    expected = "malformed" if len(kid) > 512 else "unknown_key"
    forged = minting.sign({"alg": "ES256", "kid": kid}, minting.CLAIMS, ATTACKER, "ES256")
    assert verdict(server, forged) == expected
    symmetric = minting.symmetric(secret, "HS256", kid)
    assert verdict(server, symmetric) == ("malformed" if len(kid) > 512 else "algorithm")
