"""Sockets that outlive the moment in which their token was checked: Socket.IO and Channels."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import django
import pytest
import socketio
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bearerguard.testing import Issuer
from tests.doors_under_test.real_server import serving
from tests.recipes.page import recipe

ENOUGH = 20.0
"""Seconds after which a message is called missing."""

# -- Socket.IO -------------------------------------------------------------------------------------------


# python-socketio's client leaves the connection of a last request over polling to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")


def with_client(
    issuer: Issuer, auth: Any, transport: str, use: Callable[[socketio.AsyncClient], Awaitable[Any]]
) -> Any:
    """Connect a client to a real server and use it; return what that returns, or what the client is told."""
    app = recipe("Socket.IO")["create_app"](issuer.resource_server(keys=issuer.jwks()))

    async def main(port: int) -> Any:
        # With a session of its own, which ends the request that a client over polling leaves open.
        async with aiohttp.ClientSession() as session:
            client = socketio.AsyncClient(reconnection=False, http_session=session)
            outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            client.on("connect", lambda: outcome.set_result(None))
            client.on("connect_error", outcome.set_result)
            address = f"http://127.0.0.1:{port}"
            await client.connect(address, auth=auth, transports=[transport], wait=False)
            told = await asyncio.wait_for(outcome, ENOUGH)
            return told if told is not None else await use(client)

    # The server would keep the request of a client that is gone until it has pinged it in vain.
    with serving(app, ws="websockets-sansio", timeout_graceful_shutdown=1) as port:
        outcome = asyncio.run(main(port))
    gc.collect()  # what its connections say when they go, they say here
    return outcome


async def cancel(client: socketio.AsyncClient) -> Any:
    return await client.call("cancel", 7)


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_an_event_of_socket_io_knows_who_sends_it(issuer: Issuer, transport: str) -> None:
    auth = {"token": issuer.token("ada", "orders:write")}
    assert with_client(issuer, auth, transport, cancel) == {"cancelled": 7, "by": "ada"}


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_a_client_of_socket_io_is_told_why_it_is_refused(issuer: Issuer, transport: str) -> None:
    auth = {"token": issuer.expired()}
    refused = {"message": "The token has expired.", "data": {"reason": "expired"}}
    assert with_client(issuer, auth, transport, cancel) == refused


@pytest.mark.parametrize("auth", [None, {"token": 7}, {"other": 7}, "a token", {"token": "a.b.c"}])
def test_what_is_not_a_token_does_not_connect(issuer: Issuer, auth: Any) -> None:
    told = with_client(issuer, auth, "websocket", cancel)
    assert told["data"]["reason"]


def test_an_event_may_ask_for_more_than_the_connection(issuer: Issuer) -> None:
    auth = {"token": issuer.token("ada", "orders:read")}
    assert with_client(issuer, auth, "websocket", cancel) == {"refused": "scope"}


def test_a_connection_does_not_give_its_token_a_longer_life(issuer: Issuer) -> None:
    async def cancel_late(client: socketio.AsyncClient) -> Any:
        issuer.clock.advance(4000)
        return await client.call("cancel", 7)

    auth = {"token": issuer.token("ada", "orders:write")}
    assert with_client(issuer, auth, "websocket", cancel_late) == {"refused": "expired"}


# -- Channels --------------------------------------------------------------------------------------------


django.setup()  # as a site does before it makes its application


async def site(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("no request over HTTP is made here")


@pytest.fixture
def port(issuer: Issuer) -> Iterator[int]:
    app = recipe("Channels")["create_app"](issuer.resource_server(keys=issuer.jwks()), site)
    with serving(app, ws="websockets-sansio") as port:
        yield port


def watching(port: int, *subprotocols: str) -> ClientConnection:
    offered = [Subprotocol(name) for name in subprotocols] or None
    return connect(f"ws://127.0.0.1:{port}/orders/changes", subprotocols=offered, proxy=None)


def test_a_consumer_of_channels_knows_who_is_there(port: int, issuer: Issuer) -> None:
    with watching(port, "bearer", issuer.token("ada", "orders:read")) as socket:
        assert (socket.subprotocol, socket.recv(ENOUGH)) == ("bearer", "the orders of ada")


def test_a_consumer_of_channels_is_not_asked_about_other_tokens(port: int, issuer: Issuer) -> None:
    for offered, status in (
        ((), 401),
        (("bearer", issuer.expired()), 401),
        (("bearer", issuer.token("ada")), 403),
    ):
        with pytest.raises(InvalidStatus) as refused, watching(port, *offered):
            pass
        response = refused.value.response
        assert (response.status_code, "WWW-Authenticate" in response.headers) == (status, True)


def test_a_connection_to_channels_ends_with_its_token(issuer: Issuer) -> None:
    page = recipe("Channels")
    connected = page["Changes"].connect

    async def late(self: Any) -> None:
        issuer.clock.advance(4000)  # after the token was checked
        await connected(self)

    page["Changes"].connect = late
    app = page["create_app"](issuer.resource_server(keys=issuer.jwks()), site)
    token = issuer.token("ada", "orders:read")
    with serving(app, ws="websockets-sansio") as port, watching(port, "bearer", token) as socket:
        with pytest.raises(ConnectionClosed):
            list(socket)
        assert socket.close_code == 4401
