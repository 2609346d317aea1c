"""CVE-2026-22817 and CVE-2026-22818 (Hono).

Elsewhere the algorithm was what the token's header said, where the key did not say otherwise. Here the
provider's list is asked first, and there always is one.
"""

from __future__ import annotations

import pytest

from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


@pytest.mark.parametrize("accepted", ALGORITHMS)
def test_of_all_algorithms_that_the_issuers_keys_can_do_the_accepted_one_alone_is_accepted(
    accepted: str,
) -> None:
    server = minting.server(algorithms=[accepted])
    for alg in ALGORITHMS:
        expected = ACCEPTED if alg == accepted else "algorithm"
        assert verdict(server, minting.token(alg)) == expected
        assert verdict(server, minting.token(alg, header={"kid": None})) == expected
