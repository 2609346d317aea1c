"""An API that takes only tokens bound to a key, under uvicorn: `python dpop_api.py ISSUER ID SECRET`.

It asks for nonces, and asks the issuer about opaque tokens as the client ID with SECRET. It prints where it
listens, as a line of JSON, once requests may be sent. Each line of its standard input is answered with the
requests that came since, as method, target and status; with the end of its standard input it ends.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bearerguard import DPoP, Introspection, Provider, ResourceServer, bound, scope
from bearerguard.starlette import Guard


def say(content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def application(issuer: str, client_id: str, secret: str, origin: str, came: list[Any]) -> Any:
    introspection = Introspection(client_id, secret)
    provider = Provider(issuer, audience=[origin, f"{origin}/?opaque"], introspection=introspection)
    server = ResourceServer(provider, resource=origin, dpop=DPoP(required=True, nonce=True))
    guard = Guard(server)

    @guard.requires(scope("orders:read") & bound("dpop"))
    async def orders(request: Request) -> JSONResponse:
        token = guard.token(request)
        return JSONResponse({"client": token.client_id, "bound": token.confirmation})

    app = guard.install(Starlette(routes=[Route("/orders", orders, methods=["GET", "POST"])]))

    async def noted(scope_: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                came.append([scope_["method"], scope_["raw_path"].decode(), message["status"]])
            await send(message)

        await app(scope_, receive, sent)

    return noted


def main(issuer: str, client_id: str, secret: str) -> None:
    came: list[Any] = []
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(application(issuer, client_id, secret, origin, came), log_level="warning")
    server = uvicorn.Server(config)

    def follow_standard_input() -> None:
        for _ in sys.stdin:
            say(came)
            came.clear()
        server.should_exit = True

    say({"origin": origin})
    threading.Thread(target=follow_standard_input, daemon=True).start()
    server.run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
