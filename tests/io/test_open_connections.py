"""What a connection holds behind an answer; over real sockets it is tested in tests/faults."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import h11
import httpx2
import pytest

from bearerguard._io.open_connections import has_open, unasked

URL = "https://login.example/introspect"


class Holding(httpx2.HTTPTransport):
    """A transport of the library's, with these connections."""

    def __init__(self, *connections: Any) -> None:
        self._pool: Any = SimpleNamespace(connections=connections, close=lambda: None)


def http1(held: bytes) -> Any:
    state = h11.Connection(our_role=h11.CLIENT)
    if held:
        state.receive_data(held)
    return SimpleNamespace(_h11_state=state)


def through(*, within: Any) -> Any:
    """What leads to a host: a connection of its own, or a tunnel of a proxy."""
    return SimpleNamespace(_connection=within)


@pytest.mark.parametrize(
    ("connections", "held"),
    [
        ([], b""),
        ([through(within=http1(b""))], b""),
        ([through(within=http1(b"HTTP/1.1"))], b"HTTP/1.1"),
        ([through(within=through(within=http1(b"HTTP/1.1")))], b"HTTP/1.1"),
        ([through(within=SimpleNamespace(_h2_state=object()))], b""),
        ([through(within=object())], None),
    ],
    ids=["none", "nothing", "an answer", "through a proxy", "HTTP/2", "another version of the library"],
)
def test_what_a_connection_holds(connections: list[Any], held: bytes | None) -> None:
    client = httpx2.Client(transport=Holding(*connections))
    assert unasked(client, httpx2.URL(URL)) == held
    client.close()


def idle(**parts: Any) -> Any:
    return SimpleNamespace(is_idle=lambda: True, has_expired=lambda: False, **parts)


def test_only_a_connection_that_can_be_cut_short_is_one_to_ask_over() -> None:
    with socket.socket() as connected:
        stream = SimpleNamespace(get_extra_info=lambda _: connected)
        for connection, expected in [
            (idle(_connection=SimpleNamespace(_network_stream=stream)), True),
            (
                idle(_connection=SimpleNamespace(_network_stream=SimpleNamespace(get_extra_info={}.get))),
                False,
            ),
            (idle(_connection=SimpleNamespace(stream=stream)), False),  # another version of the library
            (SimpleNamespace(is_idle=lambda: False), False),
        ]:
            client = httpx2.Client(transport=Holding(connection))
            assert has_open(client, httpx2.URL(URL)) is expected
            client.close()


def test_a_transport_of_the_user_is_not_looked_into() -> None:
    answering = httpx2.MockTransport(lambda _: httpx2.Response(200))
    with httpx2.Client(transport=answering) as client:
        assert unasked(client, httpx2.URL(URL)) == b""
        assert not has_open(client, httpx2.URL(URL))
