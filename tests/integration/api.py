"""A small API under uvicorn, behind bearerguard as a user would put it: `python api.py ISSUER AUDIENCE...`.

It only says what the middleware handed to it. It knows no keys: they are discovered from the issuer. While it
serves, a call that blocks its event loop raises an error. It prints where it listens, as a line of JSON, once
requests may be sent. A line of its standard input is a number of seconds by which its clock goes ahead, and
is answered with how far ahead it is; with the end of its standard input it ends.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from blockbuster import blockbuster_ctx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from bearerguard.starlette import AuthenticateMiddleware


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def caller(connection: HTTPConnection) -> dict[str, object]:
    """What the middleware left in the scope, ready for JSON."""
    token = connection.scope["bearerguard.token"]
    return {
        "claims": connection.scope["oauth2-claims"],
        "provider": connection.scope["oauth2-provider"],
        "client_id": token.client_id,
        "scopes": sorted(token.scopes),
    }


async def whoami(request: Request) -> JSONResponse:
    return JSONResponse(caller(request))


async def whoami_websocket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json(caller(websocket))
    await websocket.close()


@asynccontextmanager
async def never_blocked(app: Starlette) -> AsyncIterator[None]:
    with blockbuster_ctx():
        yield


def say(content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def main(issuer: str, *audiences: str) -> None:
    clock = Clock()
    providers = {"certified": {"issuer": issuer, "audience": audiences}}
    app = Starlette(
        routes=[Route("/whoami", whoami), WebSocketRoute("/whoami", whoami_websocket)],
        middleware=[Middleware(AuthenticateMiddleware, providers=providers, clock=clock)],
        lifespan=never_blocked,
    )
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))

    def follow_standard_input() -> None:
        for line in sys.stdin:
            clock.ahead += float(line)
            say(clock.ahead)
        server.should_exit = True

    # The socket listens from here on: what is sent before uvicorn is up waits for it.
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    say({"netloc": f"{host}:{port}"})
    threading.Thread(target=follow_standard_input, daemon=True).start()
    server.run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
