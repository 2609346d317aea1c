"""CVE-2023-52428 (Nimbus), joserfc before 1.6.3.

Elsewhere the header of a token said how often a password is hashed (`p2c`), and a large number kept a
processor busy. Here there is no algorithm with a password, so the number is never read.
"""

from __future__ import annotations

import json

import pytest

from bearerguard import ConfigurationError
from tests.advisories.verdict import verdict
from tests.hostile import minting

PASSWORD_BASED = ["PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW"]


@pytest.mark.parametrize("alg", PASSWORD_BASED)
@pytest.mark.parametrize("p2c", [2**31 - 1, 2**63, 10**300])
def test_a_number_of_iterations_is_never_used(alg: str, p2c: int) -> None:
    header = {"alg": alg, "enc": "A128GCM", "p2c": p2c, "p2s": "AAAA"}
    encoded = minting.b64(json.dumps(header).encode())
    assert verdict(minting.server(), f"{encoded}.AAAA.AAAA.AAAA.AAAA") == "encrypted"
    assert verdict(minting.server(), f"{encoded}.e30.AAAA") in {"critical", "malformed"}
    signed = minting.token(header={"alg": alg, "p2c": p2c, "p2s": "AAAA"})
    assert verdict(minting.server(), signed) == "algorithm"


@pytest.mark.parametrize("alg", PASSWORD_BASED)
def test_an_algorithm_with_a_password_cannot_be_allowed(alg: str) -> None:
    with pytest.raises(ConfigurationError, match="choose from"):
        minting.server(algorithms=["RS256", alg])
