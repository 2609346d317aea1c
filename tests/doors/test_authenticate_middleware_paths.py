"""Which paths are public: those written exactly so, and none that a router might read otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

import anyio
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from bearerguard._asgi import route_path
from bearerguard.starlette import AuthenticateMiddleware
from bearerguard.testing import Issuer
from tests.doors.protected_apps import described

PROVIDERS = {"login": described(Issuer(algorithm="ES256"))}


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse("entered")


async def anything(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"entered"})


def status(app: ASGIApp, raw_path: str, *, root_path: str = "", with_raw: bool = True) -> int:
    """Ask for a path exactly as it is written, which no HTTP client would do; return the status."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "server": ("api.test", 80),
        "path": unquote(raw_path),
        "root_path": root_path,
        "query_string": b"",
        "headers": [(b"host", b"api.test")],
        **({"raw_path": raw_path.encode()} if with_raw else {}),
    }

    async def main() -> None:
        await app(scope, receive, send)

    anyio.run(main)
    code: int = sent[0]["status"]
    return code


def protected(public_paths: Iterable[str] | None, app: ASGIApp = anything) -> ASGIApp:
    return AuthenticateMiddleware(app, PROVIDERS, public_paths)


@pytest.mark.parametrize(
    "public_paths", [{"/health"}, ["/health"], ("/health",), "/health", iter(["/health"])], ids=repr
)
def test_a_public_path_is_open_however_they_are_given(public_paths: Any) -> None:
    app = protected(public_paths)
    assert status(app, "/health") == 200
    assert status(app, "/") == 400


@pytest.mark.parametrize("public_paths", [None, [], set(), ""], ids=repr)
def test_without_public_paths_everything_is_protected(public_paths: Any) -> None:
    app = protected(public_paths)
    assert {status(app, path) for path in ("/", "/health", "/docs", "/h")} == {400}


def test_the_root_may_be_public_and_nothing_below_it_is() -> None:
    app = protected({"/"})
    assert status(app, "/") == 200
    assert {status(app, path) for path in ("", "//", "/a", "/./", "/..", "/%2e", "/%2f")} == {400}


@pytest.mark.parametrize(
    "path",
    [
        "/health/",
        "/healthz",
        "/HEALTH",
        "/health ",
        "/health%20",
        "/health%00",
        "/health;v=1",
        "/health%3Fa",
        "/health%23",
        "//health",
        "///health",
        "/health//",
        "/./health",
        "/health/.",
        "/secret/../health",
        "/health/../secret",
        "/health/..",
        "/..%2fhealth",
        "/health%2f",
        "/health%2F..%2Fsecret",
        "/health/%2e%2e/secret",
        "/%2fhealth",
        "/secret%2f..%2fhealth",
        "/health%5c..%5csecret",
        "/health\\..\\secret",
        "/%252e%252e/health",
        "health",
        "/\u200bhealth",
    ],
    ids=ascii,
)
def test_what_is_only_like_a_public_path_is_protected(path: str) -> None:
    assert status(protected({"/health", "/open/docs"}), path) == 400


@pytest.mark.parametrize(
    "raw_path", ["/open%2fdocs", "/open%2Fdocs", "/open/%2e%2e/open/docs", "/open%5Cdocs"], ids=str
)
def test_an_encoded_slash_or_dot_never_opens_a_path_that_reads_the_same_when_decoded(raw_path: str) -> None:
    app = protected({"/open/docs", "/open/../open/docs", "/open\\docs"})
    assert status(app, raw_path) == 400
    assert status(app, "/open/docs") == 200


def test_other_characters_may_be_encoded_as_the_router_decodes_them_too() -> None:
    app = protected({"/health", "/öffentlich"})
    assert status(app, "/%68ealth") == 200
    assert status(app, "/%C3%B6ffentlich") == 200


def test_a_server_that_gives_no_raw_path_is_believed_about_the_path() -> None:
    app = protected({"/health"})
    assert status(app, "/health", with_raw=False) == 200
    assert status(app, "/secret", with_raw=False) == 400


def test_the_query_does_not_belong_to_the_path() -> None:
    client = TestClient(Starlette(routes=[Route("/health", page)], middleware=[middleware("/health")]))
    assert client.get("/health?next=%2f..%2fsecret").status_code == 200
    assert client.get("/secret?/health").status_code == 400


def middleware(*public_paths: str) -> Middleware:
    return Middleware(AuthenticateMiddleware, providers=PROVIDERS, public_paths=public_paths)


@pytest.mark.parametrize("outside", [True, False], ids=["around the mount", "inside the mount"])
def test_a_public_path_is_written_as_the_routes_that_it_protects_are(outside: bool) -> None:
    public = middleware("/v1/health" if outside else "/health", "/docs" if outside else "/v1/docs")
    routes = [Route("/health", page), Route("/docs", page)]
    inner = Mount("/v1", routes=routes, middleware=None if outside else [public])
    client = TestClient(Starlette(routes=[inner], middleware=[public] if outside else []))
    assert client.get("/v1/health").status_code == 200
    assert client.get("/v1/docs").status_code == 400
    assert client.get("/v1/nowhere").status_code == 400


def test_an_application_that_is_mounted_with_its_own_middleware_names_paths_as_its_routes_do() -> None:
    inner = FastAPI(docs_url="/docs", openapi_url="/openapi.json")
    inner.add_middleware(AuthenticateMiddleware, providers=PROVIDERS, public_paths={"/openapi.json"})
    outer = FastAPI()
    outer.mount("/v1", inner)
    client = TestClient(outer)
    assert client.get("/v1/openapi.json").status_code == 200
    assert client.get("/v1/docs").status_code == 400
    assert client.get("/openapi.json").status_code == 200  # the outer one's own, which nothing protects


def test_the_mount_of_the_whole_is_not_part_of_a_public_path() -> None:
    app = protected({"/health"})
    assert status(app, "/api/health", root_path="/api") == 200
    assert status(app, "/health", root_path="/api") == 200  # as Starlette's router reads it
    assert status(app, "/apis/health", root_path="/api") == 400


def test_a_mount_that_the_client_chose_opens_no_other_route() -> None:
    """Daphne takes `root_path` from the header `Daphne-Root-Path`: routes and public paths move alike."""

    async def secret(request: Request) -> PlainTextResponse:
        return PlainTextResponse("secret")

    routes = [Route("/admin", secret), Route("/public/admin", page)]
    app = Starlette(routes=routes, middleware=[middleware("/public/admin")])
    assert status(app, "/public/admin") == 200
    for mount in ("/public", "/public/", "/pub", "/", "/x", "/public/admin", "/admin"):
        for path in ("/admin", "/public/admin", f"{mount}/admin"):
            entered = status(app, path, root_path=mount) == 200
            assert not entered or route_path({"path": path, "root_path": mount}) == "/public/admin"


@pytest.mark.parametrize(
    "path", ["/files/a.txt", "/files/%2e%2e/secret", "/files/..%2fsecret", "/files//a.txt"]
)
def test_what_lies_below_a_public_path_is_protected(path: str) -> None:
    assert status(protected({"/files", "/files/"}), path) == 400


def test_websockets_have_public_paths_too() -> None:
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket

    async def greet(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    client = TestClient(Starlette(routes=[WebSocketRoute("/open", greet)], middleware=[middleware("/open")]))
    with client.websocket_connect("/open") as websocket:
        assert websocket.receive_text() == "hello"
