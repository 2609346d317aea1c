"""CVE-2026-22748 (Spring Security).

Elsewhere a decoder that was built from the issuer's address did not check the issuer of tokens. Here a
provider without issuer is a configuration error, and where keys come from makes no difference to the check.
"""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import ConfigurationError, Provider, ResourceServer
from tests.advisories.verdict import ACCEPTED, verdict
from tests.hostile import minting

SOURCES: dict[str, Any] = {
    "discovered": None,
    "an address": minting.issuer.jwks_uri,
    "an object": minting.issuer.jwks(),
    "a function": minting.issuer.jwks,
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_issuer_is_checked_wherever_the_keys_come_from(source: str) -> None:
    server = ResourceServer(minting.issuer.provider(keys=SOURCES[source]), clock=minting.issuer.clock)
    assert verdict(server, minting.token()) == ACCEPTED
    assert verdict(server, minting.token(iss="https://other.test")) == "issuer"
    assert verdict(server, minting.token(iss=minting.ABSENT)) == "missing_claim"


@pytest.mark.parametrize("issuer", [None, "", 0, ["https://issuer.test"]], ids=repr)
def test_a_provider_without_issuer_cannot_be_built(issuer: Any) -> None:
    with pytest.raises(ConfigurationError, match="issuer is missing"):
        Provider(issuer, audience="https://api.test", keys=minting.issuer.jwks())
