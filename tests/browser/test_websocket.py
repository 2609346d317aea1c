"""WebSockets as a page of a browser opens them: with a token among the subprotocols, until the token ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from bearerguard._websocket import KUBERNETES
from bearerguard.asgi import Guard
from bearerguard.testing import Clock, Issuer
from tests.examples.running import listening

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OPEN = """
([address, protocols]) => new Promise((resolve) => {
  const socket = new WebSocket(address, protocols);
  const seen = {protocol: null, said: null, code: null, reason: null};
  socket.onopen = () => { seen.protocol = socket.protocol; };
  socket.onmessage = (event) => { seen.said = event.data; };
  socket.onclose = (event) => { seen.code = event.code; seen.reason = event.reason; resolve(seen); };
})
"""


CLOCK = Clock(1_700_000_000)
"""By it a token ends once its connection stands, however long the browser took."""


async def api(scope: Any, receive: Any, send: Any) -> None:
    """Says who is there and what it was offered, and stays until the client goes, or says "bye"."""
    if scope["type"] == "http":
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
        )
        await send({"type": "http.response.body", "body": b"<title>A page</title>"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    said = [scope["bearerguard.token"].subject, scope["subprotocols"]]
    await send({"type": "websocket.send", "text": json.dumps(said)})
    if b"stay" in scope["query_string"]:
        CLOCK.advance(1)
        await receive()
    else:
        await send({"type": "websocket.close", "code": 1000})


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer(clock=CLOCK)


@pytest.fixture(scope="module")
def address(issuer: Issuer) -> Iterator[str]:
    server = issuer.resource_server(keys=issuer.jwks(), leeway=0)
    guard = Guard(server, websocket_subprotocol="bearer", close_at_expiry=True)
    app = guard.protect(api, public_paths={"/"})
    running = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    with listening() as at:
        thread = threading.Thread(target=running.run, args=([at],))
        thread.start()
        yield f"127.0.0.1:{at.getsockname()[1]}"
        running.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://{address}/")
        yield page


def opened(page: Page, address: str, *protocols: str) -> dict[str, Any]:
    seen: dict[str, Any] = page.evaluate(OPEN, [f"ws://{address}", list(protocols)])
    return seen


def test_a_page_connects_with_a_token_and_is_told_which_name_was_chosen(
    page: Page, address: str, issuer: Issuer
) -> None:
    seen = opened(page, f"{address}/chat", "bearer", issuer.token("ada"), "chat.v1")
    assert seen == {"protocol": "bearer", "said": '["ada", ["chat.v1"]]', "code": 1000, "reason": ""}


def test_a_page_with_a_token_that_is_refused_does_not_connect(
    page: Page, address: str, issuer: Issuer
) -> None:
    for protocols in (
        ["bearer", issuer.expired()],
        ["bearer"],
        ["bearer", issuer.token(), f"{KUBERNETES}eA"],
        ["chat.v1"],
    ):
        seen = opened(page, f"{address}/chat", *protocols)
        assert (seen["protocol"], seen["said"], seen["code"]) == (None, None, 1006), protocols


def test_a_connection_ends_with_its_token_and_the_page_is_told_why(
    page: Page, address: str, issuer: Issuer
) -> None:
    token = issuer.token("ada", exp=issuer.clock() + 0.5)
    seen = opened(page, f"{address}/chat?stay", "bearer", token)
    assert seen["said"] == '["ada", []]'
    assert (seen["code"], seen["reason"]) == (4401, "The token has expired.")
