"""`TokenFilter` behind every door: who makes a request, not before it is verified nor after it ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import anyio.to_thread
import flask
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.authentication import SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from bearerguard.flask import requires_authentication
from bearerguard.logging import TokenFilter
from bearerguard.starlette import AuthenticateMiddleware, OAuth2IdTokenBackend, on_error
from bearerguard.testing import Issuer
from tests.doors_under_test.layabauth_doors import trusting

NOBODY = ("", "", "")


class Lines(logging.Handler):
    """Keeps what a formatter would see of each record, and the whole text of all lines."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(TokenFilter())
        self.seen: dict[str, tuple[Any, Any, Any]] = {}
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        given = record.__dict__
        self.text += self.format(record)
        if record.name == "bearerguard":  # it says itself whom it is about
            return
        self.seen[record.getMessage()] = (given["sub"], given["client_id"], given["provider"])


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


log = logging.getLogger("orders").info


class Around:
    """ASGI middleware outside of the door: it must not see what the door has verified."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        log("outside, before")
        await self.app(scope, receive, send)
        log("outside, after")


async def endpoint(request: Request) -> Response:
    log("view")
    await asyncio.create_task(log_in_task())
    await anyio.to_thread.run_sync(log, "thread")
    return Response()


async def log_in_task() -> None:
    log("task")


def sync_endpoint(request: Request) -> Response:
    log("view")
    return Response()


async def websocket(socket: WebSocket) -> None:
    log("view")
    await socket.accept()
    await socket.close()


ROUTES = [Route("/async", endpoint), Route("/sync", sync_endpoint), WebSocketRoute("/websocket", websocket)]


def middleware_for(issuer: Issuer) -> Starlette:
    door = Middleware(
        AuthenticateMiddleware,
        server=issuer.resource_server(name="login"),
        public_paths={"/public"},
    )
    return Starlette(routes=[*ROUTES, Route("/public", sync_endpoint)], middleware=[Middleware(Around), door])


def backend_for(issuer: Issuer) -> Starlette:
    backend = OAuth2IdTokenBackend(
        issuer.jwks_uri,
        create_user=lambda token, token_body: SimpleUser(token_body["sub"]),
        scopes=lambda token, token_body: [],
        **trusting(issuer),
    )
    door = Middleware(AuthenticationMiddleware, backend=backend, on_error=on_error)
    return Starlette(routes=ROUTES, middleware=[door])


def flask_app_for(issuer: Issuer) -> flask.Flask:
    authenticated = requires_authentication(issuer.jwks_uri, **trusting(issuer))
    app = flask.Flask(__name__)

    @app.before_request
    def before() -> None:
        log("outside, before")

    @app.get("/sync")
    @authenticated
    def view() -> str:
        log("view")
        return ""

    @app.get("/async")
    @authenticated
    async def async_view() -> str:
        log("view")
        await asyncio.create_task(log_in_task())
        return ""

    @app.get("/public")
    def public() -> str:
        log("view")
        return ""

    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        log("after")
        return response

    return app


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# Each answers the status that a request for a path with some headers gets.
Ask = Callable[[str, dict[str, str]], int]


def asking(name: str, issuer: Issuer) -> Ask:
    if name == "flask":
        flask_client = flask_app_for(issuer).test_client()
        return lambda path, headers: flask_client.get(path, headers=headers).status_code
    client = TestClient(middleware_for(issuer) if name == "middleware" else backend_for(issuer))
    return lambda path, headers: client.get(path, headers=headers).status_code


@pytest.fixture(params=["middleware", "backend", "flask"])
def ask(issuer: Issuer, request: pytest.FixtureRequest) -> Ask:
    return asking(request.param, issuer)


@pytest.mark.parametrize("path", ["/sync", "/async"])
def test_a_line_of_the_application_says_who_makes_the_request(
    ask: Ask, issuer: Issuer, lines: Lines, path: str, request: pytest.FixtureRequest
) -> None:
    assert ask(path, bearer(issuer.token("ada", client_id="shop"))) == 200
    provider = "login" if "middleware" in request.node.name else issuer.url
    inside = {where: who for where, who in lines.seen.items() if where in ("view", "task", "thread", "after")}
    assert set(inside.values()) == {("ada", "shop", provider)}


def test_outside_of_the_door_nobody_is_named(ask: Ask, issuer: Issuer, lines: Lines) -> None:
    for _ in range(2):
        assert ask("/sync", bearer(issuer.token("ada"))) == 200
        log("between requests")
    outside = {where: who for where, who in lines.seen.items() if where.startswith(("outside", "between"))}
    assert set(outside.values()) == {NOBODY}


BAD = {
    "expired": Issuer.expired,
    "forged": Issuer.forged,
    "unsigned": Issuer.unsigned,
    "for another audience": Issuer.for_another_audience,
    "from another issuer": Issuer.from_another_issuer,
}


@pytest.mark.parametrize("kind", BAD)
def test_who_a_bad_token_claims_to_be_is_in_no_line(
    ask: Ask, issuer: Issuer, lines: Lines, kind: str
) -> None:
    assert ask("/sync", bearer(issuer.token("ada"))) == 200
    lines.seen.clear()
    token = BAD[kind](issuer, sub="mallory", client_id="mallory")
    assert ask("/sync", bearer(token)) == 401
    assert lines.seen
    assert set(lines.seen.values()) == {NOBODY}
    if kind not in {"expired", "for another audience"}:  # of these the signature is good
        assert "mallory" not in lines.text
    assert token not in lines.text


@pytest.mark.parametrize("name", ["middleware", "flask"])
def test_on_a_public_route_a_token_that_nobody_verified_names_nobody(
    issuer: Issuer, lines: Lines, name: str
) -> None:
    assert asking(name, issuer)("/public", bearer(issuer.token("ada"))) == 200
    assert set(lines.seen.values()) == {NOBODY}


def test_what_a_token_does_not_say_is_empty(ask: Ask, issuer: Issuer, lines: Lines) -> None:
    assert ask("/async", bearer(issuer.token("ada", client_id=None))) == 200
    assert lines.seen["view"][:2] == ("ada", "")


def test_a_name_of_a_users_choosing_stays_on_its_line(ask: Ask, issuer: Issuer, lines: Lines) -> None:
    assert ask("/sync", bearer(issuer.token("ada\r\nINFO root logged in\x1b[1m"))) == 200
    assert lines.seen["view"][0] == "ada\\r\\nINFO root logged in\\x1b[1m"


@pytest.mark.parametrize("door", [middleware_for, backend_for])
def test_a_websocket_names_who_opened_it(
    issuer: Issuer, lines: Lines, door: Callable[[Issuer], Starlette]
) -> None:
    client = TestClient(door(issuer))
    with client.websocket_connect("/websocket", headers=bearer(issuer.token("ada"))):
        pass
    assert lines.seen["view"][0] == "ada"
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/websocket", headers=bearer(issuer.forged())),
    ):
        pass


def test_the_middleware_forgets_a_request_whose_application_raised(issuer: Issuer, lines: Lines) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        log("view")
        raise RuntimeError("mine")

    app = AuthenticateMiddleware(failing, server=issuer.resource_server())

    async def play() -> None:
        headers = [(b"authorization", f"Bearer {issuer.token('ada')}".encode())]
        with pytest.raises(RuntimeError, match="mine"):
            await app({"type": "http", "path": "/", "headers": headers}, None, None)  # type: ignore[arg-type]
        log("after")

    asyncio.run(play())
    assert lines.seen["view"][0] == "ada"
    assert lines.seen["after"] == NOBODY


@pytest.mark.parametrize("door", [middleware_for, backend_for])
def test_requests_served_at_once_on_one_loop_do_not_see_each_other(
    issuer: Issuer, door: Callable[[Issuer], Starlette]
) -> None:
    seen: list[tuple[str, str]] = []
    barrier = asyncio.Barrier(20)

    class Note(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.getMessage(), record.__dict__["sub"]))

    async def meet(request: Request) -> Response:
        await barrier.wait()
        logging.getLogger("meeting").warning(request.query_params["user"])
        return Response()

    handler = Note()
    handler.addFilter(TokenFilter())
    logging.getLogger("meeting").addHandler(handler)
    app = door(issuer)
    app.router.routes.append(Route("/meet", meet))

    async def play() -> None:
        transport = httpx2.ASGITransport(app)
        async with (
            httpx2.AsyncClient(transport=transport, base_url="http://api.test") as client,
            asyncio.TaskGroup() as tasks,
        ):
            for number in range(20):
                headers = bearer(issuer.token(f"user-{number}"))
                tasks.create_task(client.get(f"/meet?user=user-{number}", headers=headers))

    try:
        asyncio.run(play())
    finally:
        logging.getLogger("meeting").removeHandler(handler)
    assert len(seen) == 20
    assert all(said == found for said, found in seen)


@pytest.mark.parametrize("door", [middleware_for, backend_for])
def test_requests_that_one_task_makes_after_another_do_not_see_each_other(
    issuer: Issuer, lines: Lines, door: Callable[[Issuer], Starlette]
) -> None:
    async def view(request: Request) -> Response:
        log("view")
        return Response()

    app = door(issuer)
    app.router.routes[:] = [Route("/orders", view), Route("/public", view)]

    async def play() -> None:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://api.test") as client:
            for _ in range(20):
                assert (await client.get("/orders", headers=bearer(issuer.token("ada")))).status_code == 200
                assert lines.seen.pop("view")[0] == "ada"
                log("between requests")
                assert (await client.get("/public")).status_code == 200
                assert (await client.get("/orders", headers=bearer(issuer.forged()))).status_code == 401
                assert set(lines.seen.values()) == {NOBODY}

    asyncio.run(play())


def test_the_filter_lets_every_record_pass_and_names_nobody_outside_of_a_request() -> None:
    record = logging.LogRecord("orders", logging.INFO, __file__, 1, "shipped", None, None)
    assert TokenFilter().filter(record) is True
    assert logging.Formatter("%(sub)s|%(client_id)s|%(provider)s|%(message)s").format(record) == "|||shipped"
