"""FastMCP 3.4.3.

Elsewhere a filter of internal addresses was passed by IPv6 addresses that stand for IPv4 ones. Here there
is no such filter to pass: no address comes from a client, and plain http, the way to most internal
services, is only for loopback, written as loopback.
"""

from __future__ import annotations

import pytest

from bearerguard import ConfigurationError, Provider

NOT_LOOPBACK = [
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "fe80::1",
    "fd00::1",
    "2001:0:7f00:1::",
]


@pytest.mark.parametrize("address", NOT_LOOPBACK)
def test_an_ipv6_address_that_stands_for_another_is_not_loopback(address: str) -> None:
    with pytest.raises(ConfigurationError, match="not https"):
        Provider("https://issuer.test", audience="https://api.test", keys=f"http://[{address}]/jwks")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.9", "[::1]", "[0:0:0:0:0:0:0:1]", "localhost"])
def test_loopback_itself_is(host: str) -> None:
    Provider("https://issuer.test", audience="https://api.test", keys=f"http://{host}:8080/jwks")
