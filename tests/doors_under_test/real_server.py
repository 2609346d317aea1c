"""An ASGI application behind a real server, on loopback."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

ENOUGH = 20.0
"""Seconds after which an answer is called missing."""


@contextmanager
def connection_to(app: Any, **options: Any) -> Iterator[http.client.HTTPConnection]:
    """One connection to a real server that runs on asyncio's own loop."""
    server = uvicorn.Server(
        uvicorn.Config(app, loop="asyncio", lifespan="off", ws="none", log_config=None, **options)
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", listening.getsockname()[1], timeout=ENOUGH)
        try:
            yield connection
        finally:
            connection.close()
            server.should_exit = True
            thread.join(ENOUGH)
            assert not thread.is_alive()
