"""Discovery from the token's own `iss` (a JWT signature bypass told of several services).

Elsewhere the address of the keys was made from the `iss` of the token that they should verify: any attacker
with a web server was an issuer. Here `iss` chooses among configured providers, and nothing else.
"""

from __future__ import annotations

import pytest

from tests.advisories.verdict import verdict
from tests.hostile import minting


@pytest.mark.parametrize(
    "issuer",
    ["https://attacker.test", "https://issuer.test.attacker.test", "https://issuer.test@attacker.test"],
)
def test_an_issuer_that_is_not_configured_is_refused_and_never_asked(issuer: str) -> None:
    server = minting.fetching_server()
    before = minting.issuer.requests
    token = minting.attacker.token(iss=issuer, aud=minting.AUDIENCE)
    assert verdict(server, token) == "issuer"
    assert (minting.attacker.requests, minting.issuer.requests) == ((), before)


def test_where_any_issuer_is_accepted_the_keys_are_still_those_of_the_configured_address() -> None:
    server = minting.unchecked_server(
        issuer=None, keys=minting.issuer.jwks_uri, name="any", dangerously_accept_any_issuer=True
    )
    assert verdict(server, minting.attacker.token()) == "unknown_key"
    assert minting.attacker.requests == ()
