"""An ASGI application behind a real server, on loopback."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import uvicorn

ENOUGH = 20.0
"""Seconds after which an answer is called missing."""


@contextmanager
def connection_to(app: Any, **options: Any) -> Iterator[http.client.HTTPConnection]:
    """One connection to a real server."""
    with serving(app, **options) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ENOUGH)
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def serving(
    app: Any, *, lifespan: Literal["on", "off"] = "off", ws: Any = "none", **options: Any
) -> Iterator[int]:
    """The port of a real server that runs on asyncio's own loop."""
    server = uvicorn.Server(
        uvicorn.Config(app, loop="asyncio", lifespan=lifespan, ws=ws, log_config=None, **options)
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(ENOUGH)
            assert not thread.is_alive()
