"""What the HTTP library does not say of its connections: whether one is open, and what came over it.

RFC 9112, section 9.2, has clients close a connection over which something came that nobody asked for. The
library keeps it and would take it for the next answer, and from then on each answer for that to the question
before. It has a setting neither for that, nor for asking only over a connection that is open, nor for waking
a thread that reads from one. So this looks where the library keeps them. It opens nothing and reads nothing.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import httpx2


def unasked(client: httpx2.Client, url: httpx2.URL) -> bytes | None:
    """Return what a client holds that came behind a host's last answer; None where that cannot be seen."""
    try:
        return b"".join(map(_held_by, _connections(client, url)))
    except AttributeError:  # another version of the library, which keeps it elsewhere
        return None


def has_open(client: httpx2.Client, url: httpx2.URL) -> bool:
    """Whether a client has a connection to a host that it can ask over now: nothing is looked up by name.

    One that `cut` could not end does not count.
    """
    try:
        return any(
            one.is_idle() and not one.has_expired() and isinstance(_socket_of(one), socket.socket)
            for one in _connections(client, url)
        )
    except AttributeError:  # as above
        return False


def cut(client: httpx2.Client, url: httpx2.URL) -> None:
    """End what a client asks a host, so that a thread that waits for it waits no longer."""
    with contextlib.suppress(AttributeError):  # as above
        for connection in list(_connections(client, url)):
            # A plain shutdown, whatever TLS is above it: that is another thread's.
            with contextlib.suppress(OSError, AttributeError, TypeError):
                socket.socket.shutdown(_socket_of(connection), socket.SHUT_RDWR)


def _connections(client: httpx2.Client, url: httpx2.URL) -> list[Any]:
    """Those to a host. The program looks after a transport of its own: of that there are none."""
    # A client has no public way to say which transport it uses for an address.
    transport: Any = client._transport_for_url(url)  # noqa: SLF001 - see above
    if not isinstance(transport, httpx2.HTTPTransport):
        return []
    # Nor has a transport one to its pool, whose `connections` are public.
    connections: list[Any] = transport._pool.connections  # noqa: SLF001 - see above
    return connections


def _socket_of(connection: Any) -> Any:
    # Only a response says over which stream it came, and here none has come yet.
    return _innermost(connection)._network_stream.get_extra_info("socket")  # noqa: SLF001 - see above


def _held_by(connection: Any) -> bytes:
    """What HTTP/1.1 has read and not used; of HTTP/2 each frame says what it belongs to."""
    within = _innermost(connection)
    if hasattr(within, "_h2_state"):
        return b""
    # `trailing_data` is h11's public name for it; that h11 is asked is not public.
    held: bytes = within._h11_state.trailing_data[0]  # noqa: SLF001 - see above
    return held


def _innermost(connection: Any) -> Any:
    """What speaks HTTP, within what has connected."""
    while (within := getattr(connection, "_connection", None)) is not None:
        connection = within
    return connection
