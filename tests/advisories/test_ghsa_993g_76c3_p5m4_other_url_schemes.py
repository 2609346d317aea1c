"""GHSA-993g-76c3-p5m4 (PyJWT).

Elsewhere the address of the keys could be `file://` or `ftp://`. Here it is https, and http only on loopback,
whoever names it.
"""

from __future__ import annotations

import httpx2
import pytest

from bearerguard import ConfigurationError, Provider, RemoteKeys, ResourceServer
from tests.advisories.verdict import verdict
from tests.hostile import minting

ADDRESSES = [
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "ftp://issuer.test/jwks",
    "gopher://issuer.test/",
    "data://text/plain,{}",
    "jar:https://issuer.test!/jwks",
    "http://issuer.test/jwks",
    "http://127.0.0.1.issuer.test/jwks",
    "http://169.254.169.254/latest/meta-data",
    "http://0.0.0.0/jwks",
    "http://[::]/jwks",
    "http://2130706433/jwks",
    "http://127.1/jwks",
    "http://0x7f.0.0.1/jwks",
    "https:///jwks",
    "https://user:password@issuer.test/jwks",
    "https://issuer.test\n/jwks",
    "https://issuer test/jwks",
    "https://issuer.test:port/jwks",
    "https://[issuer.test/jwks",
    "://issuer.test/jwks",
]


@pytest.mark.parametrize("address", ADDRESSES, ids=ascii)
def test_no_other_address_can_be_configured(address: str) -> None:
    with pytest.raises(ConfigurationError):
        Provider("https://issuer.test", audience="https://api.test", keys=address)
    with pytest.raises(ConfigurationError):
        Provider(address, audience="https://api.test")


@pytest.mark.parametrize("address", ADDRESSES, ids=ascii)
def test_no_other_address_is_believed_in_an_issuers_metadata(address: str) -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(200, json={"issuer": minting.ISSUER, "jwks_uri": address})

    provider = minting.issuer.provider(
        keys=RemoteKeys(http_options={"transport": httpx2.MockTransport(answer)})
    )
    server = ResourceServer(provider, clock=minting.issuer.clock)
    assert verdict(server, minting.token()) == "provider_unavailable"
    assert asked == ["https://issuer.test/.well-known/openid-configuration"]
