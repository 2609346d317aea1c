"""CVE-2022-29217 and CVE-2017-11424 (PyJWT), CVE-2024-37568 (Authlib), CVE-2024-33663 (python-jose),
CVE-2026-34950 (fast-jwt).

Elsewhere a token whose header said HS256 was checked with the public key as the HMAC secret, which anybody
has; lists of forbidden prefixes missed keys in other encodings, or in PEM behind white space. Here the key
decides what it can verify: a public key has no HMAC, in whatever encoding, and the tables of
`test_key_confusion` in `tests/hostile` try them all.
"""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization

from bearerguard import ConfigurationError, Provider
from bearerguard.testing import signing_key
from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting


def pem(alg: str) -> str:
    private = minting.key_for(alg).private
    assert not isinstance(private, bytes)
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(encoding, form).decode()


def signed_with(secret: bytes) -> str:
    return minting.symmetric(secret, "HS256", None)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("before", ["", "\n", "  ", "\t\r\n", "\ufeff"], ids=repr)
def test_a_pem_key_is_not_a_secret_whatever_stands_before_it(alg: str, before: str) -> None:
    text = before + pem(alg)
    server = minting.server(keys=text)
    assert verdict(server, minting.token(alg, header={"kid": None})) == ACCEPTED
    for secret in (text, pem(alg), pem(alg).strip()):
        assert verdict(server, signed_with(secret.encode())) == "algorithm"


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_a_pem_key_is_not_a_secret_where_hs256_is_allowed_by_name(alg: str) -> None:
    with pytest.raises(ConfigurationError, match="fits the algorithms"):
        minting.server(keys=pem(alg), algorithms=["HS256"])
    server = minting.server(keys=[pem(alg), signing_key("oct").secret_jwk()], algorithms=[alg, "HS256"])
    assert verdict(server, signed_with(pem(alg).encode())) == "signature"


def test_hmac_is_not_among_the_algorithms_unless_it_is_named() -> None:
    provider = Provider("https://issuer.test", audience="https://api.test")
    assert not any(name.startswith("HS") for name in provider.algorithms)
