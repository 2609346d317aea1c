"""CVE-2018-0114 (node-jose), CVE-2026-27962 (Authlib), CVE-2026-34240 (jose for Dart).

Elsewhere the key in a token's own header verified it, always or where the look-up of a key found none. Here
`jwk` and `x5c` are not looked at, and a key that is not found is a refusal.
"""

from __future__ import annotations

import pytest

from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]


def carrying_its_key(alg: str, kid: str | None, **more: object) -> str:
    """A token of the attacker's own key, which its header carries."""
    key = minting.key_for(alg, minting.attacker)
    header = {"alg": alg, "kid": kid, "jwk": key.public_jwk(), **more}
    return minting.sign({name: value for name, value in header.items() if value}, minting.CLAIMS, key, alg)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_the_key_in_a_header_verifies_nothing(alg: str) -> None:
    for server in (minting.server(), minting.fetching_server()):
        for kid in (None, minting.key_for(alg).kid):
            assert verdict(server, carrying_its_key(alg, kid)) == "signature"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_the_key_in_a_header_verifies_nothing_where_no_other_is_found(alg: str) -> None:
    kid = minting.key_for(alg, minting.attacker).kid
    for server in (minting.server(), minting.fetching_server()):
        assert verdict(server, carrying_its_key(alg, kid)) == "unknown_key"
        assert verdict(server, carrying_its_key(alg, kid, x5c=["AAAA"])) == "unknown_key"


def test_a_valid_token_passes_whatever_key_its_header_carries() -> None:
    theirs = minting.key_for("ES256", minting.attacker).public_jwk()
    assert verdict(minting.server(), minting.token(header={"jwk": theirs})) == ACCEPTED
