from __future__ import annotations

from typing import Any

import pytest

from bearerguard import ConfigurationError
from bearerguard._core.peers import checked_peers, is_among, names_itself

PROXIES = checked_peers(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])


@pytest.mark.parametrize(
    "peer", ["10.1.2.3", "192.0.2.7", "2001:db8::1", "::ffff:10.1.2.3", "2001:db8::1%eth0"]
)
def test_a_peer_of_a_configured_network_is_believed(peer: str) -> None:
    assert is_among(peer, PROXIES)


@pytest.mark.parametrize("peer", ["11.0.0.1", "192.0.2.8", "::1", "testclient", "", None, "10.1.2.3.4"])
def test_any_other_peer_is_not(peer: str | None) -> None:
    assert not is_among(peer, PROXIES)


def test_a_peer_without_an_address_is_believed_where_the_socket_is_configured() -> None:
    assert is_among(None, checked_peers("unix"))
    assert is_among("", checked_peers(["10.0.0.0/8", "unix"]))
    assert not is_among("10.0.0.1", checked_peers("unix"))


@pytest.mark.parametrize("given", [None, 7, [7], [], "", "10.0.0.1/8", "proxy.internal", ["10.0.0.0/8", ""]])
def test_what_is_not_a_network_is_refused_when_it_is_given(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^peers is .*: give the addresses or networks"):
        checked_peers(given)


@pytest.mark.parametrize("everybody", ["0.0.0.0/0", "::/0", ["10.0.0.0/8", "0.0.0.0/0"]])
def test_everybody_is_not_a_peer(everybody: Any) -> None:
    with pytest.raises(ConfigurationError, match="which is everybody"):
        checked_peers(everybody)


@pytest.mark.parametrize(
    ("x_forwarded_for", "forwarded"),
    [
        ([b"10.1.2.3"], []),
        ([b"203.0.113.9, 10.1.2.3"], []),
        ([b"203.0.113.9", b"10.1.2.3:4711"], []),
        ([b"::ffff:10.1.2.3"], []),
        ([b"::ffff:10.1.2.3:4711"], []),
        ([], [b"for=10.1.2.3;proto=https"]),
        ([], [b'for=203.0.113.9, For="10.1.2.3:80"']),
    ],
)
def test_a_peer_that_the_request_itself_names_may_come_from_there(
    x_forwarded_for: list[bytes], forwarded: list[bytes]
) -> None:
    assert names_itself("10.1.2.3", x_forwarded_for, forwarded)


def test_an_address_of_ipv6_is_found_in_brackets() -> None:
    assert names_itself("2001:db8::1", [], [b'for="[2001:0db8::1]:4711"'])
    assert names_itself("2001:db8::1", [b"[2001:db8::1]"], [])


@pytest.mark.parametrize("peer", ["10.1.2.4", "testclient", None])
def test_a_peer_that_it_does_not_name_does_not(peer: str | None) -> None:
    assert not names_itself(peer, [b"10.1.2.3, unknown, ,"], [b"for=_hidden, for=unknown;by=10.1.2.4", b""])
