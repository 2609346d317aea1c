"""CVE-2026-48523 (PyJWT).

Elsewhere a key object that knew its own algorithm was used without a look at the list of accepted ones.
Here an algorithm must be both: accepted by the provider, and one that the key is for.
"""

from __future__ import annotations

import pytest

from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting


@pytest.mark.parametrize("alg", ["RS256", "RS512", "PS384", "ES256", "ES512", "EdDSA"])
def test_a_key_does_not_widen_the_list_of_accepted_algorithms(alg: str) -> None:
    jwk = {**minting.key_for(alg).public_jwk(), "alg": alg}
    other = minting.key_for("ES384").public_jwk()
    strict = minting.server(keys={"keys": [jwk, other]}, algorithms=["ES384"])
    assert verdict(strict, minting.token(alg)) == "algorithm"
    assert (
        verdict(minting.server(keys={"keys": [jwk, other]}, algorithms=[alg]), minting.token(alg)) == ACCEPTED
    )


@pytest.mark.parametrize(("alg", "named"), [("RS256", "RS512"), ("PS256", "RS256"), ("RS256", "PS256")])
def test_the_list_of_accepted_algorithms_does_not_widen_a_key(alg: str, named: str) -> None:
    jwk = {**minting.key_for(alg).public_jwk(), "alg": named}
    assert verdict(minting.server(keys=jwk), minting.token(alg)) == "unknown_key"
