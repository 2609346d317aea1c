"""The applications that uvicorn serves, to be timed and to be counted: one, differently protected.

`python -m bench.served_app KIND DIRECTORY [counted]` serves one of them on a free port of 127.0.0.1, which
it prints, until its standard input closes. httptools and uvloop are asked for by name, so that a missing one
is an error and no slow figure. A request for `/mark` is not part of the application: it tells callgrind where
a batch begins.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bench import requests
from bench.callgrind import mark
from bench.kinds import KINDS, Kind, trusting
from bench.material import Material


class NothingMiddleware:
    """Does nothing: what any middleware at all costs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class MarkMiddleware:
    """Sets a mark for callgrind between the requests that are counted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/mark":
            # A batch starts collected, and what exists is frozen: nobody pays for a neighbour's garbage.
            gc.collect()
            gc.freeze()
            mark()
            await PlainTextResponse("marked")(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _protected(material: Material, kinds: Iterable[Kind]) -> ASGIApp:
    from bearerguard.starlette import AuthenticateMiddleware
    from bench.verifiers.ours import provider, remember_little

    remember_little()
    # Keycloak's sizes are of one issuer.
    providers = {kind.issuer: provider(material, "RS256", kind) for kind in kinds}
    return AuthenticateMiddleware(requests.application(), providers)


APPLICATIONS: dict[str, Callable[[Material], ASGIApp]] = {
    "bare": lambda material: requests.application(),
    "nothing": lambda material: NothingMiddleware(requests.application()),
    "signature": lambda material: requests.SignatureMiddleware(
        requests.application(), material.public_key("RS256")
    ),
    "bearerguard": lambda material: _protected(material, KINDS.values()),
    **{trusting(kind): lambda material, kind=kind: _protected(material, [kind]) for kind in KINDS.values()},
}


class TimelessServer(uvicorn.Server):
    """Does not look at the clock ten times a second: that would be counted, where a machine is slow."""

    async def main_loop(self) -> None:
        """Set the header of the date, and wait for the end of the process."""
        await self.on_tick(0)
        await asyncio.Event().wait()


def main(kind: str, directory: str, counted: str = "") -> None:
    """Serve until the standard input closes."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    app = MarkMiddleware(APPLICATIONS[kind](Material(Path(directory))))
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        timeout_keep_alive=3600 if counted else 5,
    )
    server = (TimelessServer if counted else uvicorn.Server)(config)

    def stop_with_input() -> None:
        sys.stdin.read()
        if counted:
            os._exit(0)  # nobody waits for an answer, and it waits for nothing
        server.should_exit = True

    threading.Thread(target=stop_with_input, daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    server.run(sockets=[listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
