"""Which peers are believed when they say something of a request: the proxies that an API stands behind.

A peer is the other end of the connection, as the server says it. Some servers put an address out of
`X-Forwarded-For` in its place (uvicorn with `--proxy-headers`, werkzeug's ProxyFix). That address is the word
of whoever sent the field, so a peer that the request itself names in such a field is not believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from bearerguard._limits import MAX_FORWARDED_BYTES
from bearerguard.errors import ConfigurationError

UNIX = "unix"
"""Stands for whoever may open the server's Unix socket: such a peer has no address."""
Network = IPv4Network | IPv6Network
Peers = tuple[Network | str, ...]
"""Networks, and perhaps `UNIX`."""


def checked_peers(given: Any) -> Peers:
    """Return what a program gives as `peers`, read.

    Args:
        given: an address or a network as text, or several; `"unix"` for a Unix socket.

    Raises:
        ConfigurationError: no peer is given, or one is not an address or a network.

    Examples:
        >>> checked_peers("10.0.0.0/8")
        (IPv4Network('10.0.0.0/8'),)
    """
    several = (given,) if isinstance(given, str) else given
    try:
        peers: Peers = tuple(one if one == UNIX else ip_network(_text(one)) for one in several)
    except (TypeError, ValueError) as problem:
        raise ConfigurationError(
            f"peers is {given!r:.80}, but {problem}: give the addresses or networks of your proxies, such as "
            "['10.0.0.0/8'], or 'unix' for a Unix socket."
        ) from None
    if not peers:
        raise ConfigurationError("peers is empty: give the addresses or networks of your proxies.")
    if any(not isinstance(peer, str) and peer.prefixlen == 0 for peer in peers):
        raise ConfigurationError(
            f"peers is {given!r:.80}, which is everybody, so any client could send the field itself: give "
            "the addresses or networks of your proxies."
        )
    return peers


def is_among(peer: str | None, peers: Peers) -> bool:
    """Whether a peer is one of those that are configured.

    Args:
        peer: its address, as the server says it; None on a Unix socket.
        peers: those that are believed.
    """
    if peer is None or not peer:
        return UNIX in peers
    address = _address(peer)
    return address is not None and any(
        address in network for network in peers if not isinstance(network, str)
    )


def names_itself(peer: str | None, x_forwarded_for: Iterable[bytes], forwarded: Iterable[bytes]) -> bool:
    """Whether a request names its own peer as one that it was forwarded for (RFC 7239, section 4).

    Then the server may have taken the address from there, however it is written: with a port, in brackets, in
    quotes with backslashes. Fields that are too long to be looked through count as if they named it.

    Args:
        peer: the address, as the server says it.
        x_forwarded_for: the values of the fields of that name.
        forwarded: likewise.
    """
    address = None if peer is None else _address(peer)
    if address is None:
        return False
    text = b",".join([*x_forwarded_for, *(_BY.sub(b"", value) for value in forwarded)])
    if len(text) > MAX_FORWARDED_BYTES:
        return True
    # Not by the grammar of the fields: each server reads them in a way of its own, and some read nonsense.
    words = _WORDS.findall(text.replace(b"\\", b"").decode("latin-1"))
    return any(address == (_address(word) or _address(word.rpartition(":")[0])) for word in words)


_BY = re.compile(rb'\bby\s*=\s*"?\[?[0-9A-F:.]+', re.IGNORECASE)
"""A proxy's own address (RFC 7239, section 5.1), which nobody takes for that of a peer."""
_WORDS = re.compile("[0-9A-Fa-f:.]+")
"""Whatever may be an address, with or without a port."""


def _text(one: Any) -> str:
    if not isinstance(one, str):
        raise TypeError(f"{one!r:.40} is not text")
    return one


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address; one of IPv4 is the same when it is written as one of IPv6 (RFC 4291, section 2.5.5.2)."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
