"""A small API under uvicorn, behind bearerguard as a user would put it: `python api.py ISSUER AUDIENCE...`.

It prints one line of JSON, where it listens, once requests may be sent, and ends when its standard input does.
It only says what the middleware handed to it. It knows no keys: they are discovered from the issuer.
"""

from __future__ import annotations

import json
import socket
import sys
import threading

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from bearerguard.starlette import AuthenticateMiddleware


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


def main(issuer: str, *audiences: str) -> None:
    app = Starlette(
        routes=[Route("/whoami", whoami), WebSocketRoute("/whoami", whoami_websocket)],
        middleware=[
            Middleware(
                AuthenticateMiddleware,
                providers={"certified": {"issuer": issuer, "audience": list(audiences)}},
            ),
        ],
    )
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))

    def end_with_standard_input() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True

    threading.Thread(target=end_with_standard_input, daemon=True).start()
    # The socket listens from here on: what is sent before uvicorn is up waits for it.
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    print(json.dumps({"netloc": f"{host}:{port}"}), flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
