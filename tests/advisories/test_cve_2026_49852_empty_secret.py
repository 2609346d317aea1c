"""CVE-2026-49852 (joserfc), CVE-2026-45363 (ruby-jwt).

Elsewhere an empty HMAC key was a key, and everybody has it. Here a secret is at least as long as the hash
that it is used with (RFC 7518, section 3.2).
"""

from __future__ import annotations

import pytest

from bearerguard import ConfigurationError
from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting

LENGTHS = {"HS256": 32, "HS384": 48, "HS512": 64}


@pytest.mark.parametrize("alg", LENGTHS)
def test_an_empty_or_short_secret_is_a_configuration_error(alg: str) -> None:
    for length in range(LENGTHS[alg]):
        with pytest.raises(ConfigurationError):
            minting.server(keys={"kty": "oct", "k": minting.b64(b"k" * length)}, algorithms=[alg])


@pytest.mark.parametrize("alg", LENGTHS)
def test_the_empty_secret_signs_nothing_where_there_is_a_good_one(alg: str) -> None:
    secret = b"k" * LENGTHS[alg]
    server = minting.server(keys={"kty": "oct", "k": minting.b64(secret)}, algorithms=[alg])
    assert verdict(server, minting.symmetric(secret, alg, None)) == ACCEPTED
    for wrong in (b"", b"\0" * len(secret), secret[:-1], secret + b"k"):
        assert verdict(server, minting.symmetric(wrong, alg, None)) == "signature"


def test_an_empty_secret_beside_a_good_one_is_left_out() -> None:
    secret = b"k" * 64
    keys = {"keys": [{"kty": "oct", "k": ""}, {"kty": "oct", "k": minting.b64(secret)}]}
    server = minting.server(keys=keys, algorithms=["HS256"])
    assert verdict(server, minting.symmetric(b"", "HS256", None)) == "signature"
    assert verdict(server, minting.symmetric(secret, "HS256", None)) == ACCEPTED
