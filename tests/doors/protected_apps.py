"""The same small API in Starlette and in FastAPI, behind `AuthenticateMiddleware`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from bearerguard.starlette import AuthenticateMiddleware
from bearerguard.testing import Issuer


class Entered:
    """Remembers each scope that got past whatever stands before it."""

    def __init__(self, app: ASGIApp, seen: list[Scope]) -> None:
        self.app, self.seen = app, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope)
        await self.app(scope, receive, send)


def told(connection: HTTPConnection) -> dict[str, Any]:
    """What the middleware tells the application."""
    return {
        "claims": connection.scope.get("oauth2-claims"),
        "provider": connection.scope.get("oauth2-provider"),
        "subject": getattr(connection.scope.get("bearerguard.token"), "subject", None),
    }


async def home(request: Request) -> JSONResponse:
    return JSONResponse(told(request))


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json(told(websocket))
    await websocket.close()


def starlette_app() -> Starlette:
    return Starlette(
        routes=[Route(path, home) for path in ("/", "/health")] + [WebSocketRoute("/ws", socket)]
    )


def fastapi_app() -> FastAPI:
    app = FastAPI()
    for path in ("/", "/health"):
        app.get(path)(home)
    app.websocket("/ws")(socket)
    return app


APPS: dict[str, Callable[[], Starlette]] = {"starlette": starlette_app, "fastapi": fastapi_app}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def described(issuer: Issuer, **options: Any) -> dict[str, Any]:
    """An issuer as an entry of `providers`, with its keys as an object."""
    return {"issuer": issuer.url, "audience": issuer.audience, "keys": issuer.jwks(), **options}


class Api:
    """A protected API: `client` asks it, `entered` are the requests that got through."""

    def __init__(
        self, providers: Any = None, *, framework: str = "starlette", loop: str = "asyncio", **options: Any
    ) -> None:
        self.entered: list[Scope] = []
        self.app = APPS[framework]()
        self.app.add_middleware(Entered, seen=self.entered)
        self.app.add_middleware(AuthenticateMiddleware, providers=providers, **options)
        backend: Any = loop
        self.client = TestClient(self.app, backend=backend)

    def get(self, token: str | None = None, path: str = "/", **headers: str) -> Any:
        return self.client.get(path, headers={**({} if token is None else bearer(token)), **headers})
