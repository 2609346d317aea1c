"""FastAPI's door: the token is asked for before the body, and a guard that FastAPI cannot see is named."""
# ruff: noqa: I002 - FastAPI resolves annotations that are text among a module's names, where no guard is here

from collections.abc import Callable
from typing import Annotated, Any

import anyio
import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Form, HTTPException, Request, WebSocket
from pydantic import BaseModel
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, StreamingResponse
from starlette.testclient import TestClient

from bearerguard import AccessToken, ConfigurationError, scope
from bearerguard.fastapi import Guard, RefusedRequest
from bearerguard.testing import Issuer


class Order(BaseModel):
    number: int


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return Guard(issuer.resource_server(keys=issuer.jwks()), realm="orders")


@pytest.fixture
def app(guard: Guard) -> FastAPI:
    return guard.install(FastAPI())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


JSON, FORM = "application/json", "application/x-www-form-urlencoded"
BODIES = {
    "valid JSON": (JSON, b'{"number": 1}'),
    "JSON of another kind": (JSON, b'{"number": "x"}'),
    "an array": (JSON, b"[1]"),
    "cut off": (JSON, b"{"),
    "half a character": (JSON, b'{"number": "\xc3'),
    "nothing": (JSON, b""),
    "no media type that is known": ("application/octet-stream", b"x" * 100_000),
    "a form": (FORM, b"number=1"),
    "an upload": ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="x"\r\n'),
    "an upload without a boundary": ("multipart/form-data", b"--b"),
}


class Read:
    """Counts what is read of a body."""

    def __init__(self, app: Any) -> None:
        self.app, self.bytes = app, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def counting() -> Any:
            message = await receive()
            self.bytes += len(message.get("body", b""))
            return message

        await self.app(scope, counting, send)


def posted(app: Any, media_type: Any, body: Any, path: Any = "/", **headers: str) -> tuple[Any, int]:
    """The answer, and how much of the body was read."""
    read = Read(app)
    with TestClient(read) as client:
        answer = client.post(path, content=body, headers={"Content-Type": media_type, **headers})
    return answer, read.bytes


def by_json(order: Order) -> int:
    return order.number


def by_value(order: Annotated[dict[str, int], Body()]) -> int:
    return order["number"]


def by_form(number: Annotated[int, Form()]) -> int:
    return number


def on_route(guard: Guard, view: Any) -> FastAPI:
    app = guard.install(FastAPI())
    app.post("/", dependencies=[guard.requires(scope("a"))])(view)
    return app


def on_router(guard: Guard, view: Any) -> FastAPI:
    app, outer, inner = guard.install(FastAPI()), APIRouter(), APIRouter()
    inner.post("/")(view)
    outer.include_router(inner, dependencies=[guard.requires(scope("a"))])
    app.include_router(outer)
    return app


def on_application(guard: Guard, view: Any) -> FastAPI:
    app = guard.install(FastAPI(dependencies=[guard.requires(scope("a"))]))
    app.post("/")(view)
    return app


def on_mounted(guard: Guard, view: Any) -> FastAPI:
    app = guard.install(FastAPI())
    app.mount("/", on_route(guard, view))
    return app


def deep_in_dependencies(guard: Guard, view: Any) -> FastAPI:
    async def token(token: Annotated[AccessToken, guard.requires(scope("a"))]) -> AccessToken:
        return token

    async def user(token: Annotated[AccessToken, Depends(token)]) -> str | None:
        return token.subject

    app = guard.install(FastAPI())
    app.post("/", dependencies=[Depends(user)])(view)
    return app


def behind_middleware(guard: Guard, view: Any) -> FastAPI:
    async def dispatch(request: Request, go_on: Any) -> Any:
        return await go_on(request)

    app = FastAPI()
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    guard.install(app)
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    app.post("/", dependencies=[guard.requires(scope("a"))])(view)
    return app


WAYS = [on_route, on_router, on_application, on_mounted, deep_in_dependencies, behind_middleware]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("view", [by_json, by_value, by_form])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_read_and_nothing_said_of_a_body_before_the_token_is_checked(
    guard: Guard, issuer: Issuer, way: Callable[..., FastAPI], view: Any, body: str
) -> None:
    app = way(guard, view)
    for headers, status in (
        ({}, 401),
        (bearer("nonsense"), 401),
        (bearer(issuer.expired()), 401),
        (bearer(issuer.token(scope="b")), 403),
    ):
        answer, read = posted(app, *BODIES[body], **headers)
        assert (answer.status_code, read) == (status, 0)
        assert answer.headers["www-authenticate"].startswith('Bearer realm="orders"')
        assert 'scope="a"' in answer.headers["www-authenticate"]
        assert "error" in answer.json()


@pytest.mark.parametrize("way", WAYS)
def test_with_a_token_a_body_is_read_and_judged_as_ever(
    guard: Guard, issuer: Issuer, way: Callable[..., FastAPI]
) -> None:
    headers = bearer(issuer.token(scope="a"))
    answer, read = posted(way(guard, by_json), *BODIES["valid JSON"], **headers)
    assert (answer.status_code, answer.json(), read) == (200, 1, 13)
    assert posted(way(guard, by_form), *BODIES["a form"], **headers)[0].json() == 1
    statuses = [
        posted(way(guard, by_json), *BODIES[body], **headers)[0].status_code
        for body in ("cut off", "nothing")
    ]
    assert statuses == [422, 422]


def test_without_install_a_body_is_read_first_and_the_token_still_decides(
    guard: Guard, issuer: Issuer
) -> None:
    app = FastAPI()
    app.post("/", dependencies=[guard.requires()])(by_json)
    assert posted(app, *BODIES["valid JSON"])[0].status_code == 401
    assert posted(app, *BODIES["cut off"])[0].status_code == 422
    assert posted(app, *BODIES["valid JSON"], **bearer(issuer.token()))[0].status_code == 200


def test_a_handler_of_the_application_answers_here_too(app: FastAPI, guard: Guard) -> None:
    @app.exception_handler(RefusedRequest)
    async def refused(request: Request, error: RefusedRequest) -> JSONResponse:
        return JSONResponse(len(await request.body()), 401, error.headers)  # it may still want the body

    app.post("/", dependencies=[guard.requires()])(by_form)
    for body in ("a form", "an upload without a boundary"):
        answer, _ = posted(app, *BODIES[body])
        assert (answer.status_code, answer.json()) == (401, len(BODIES[body][1]))
        assert answer.headers["www-authenticate"] == 'Bearer realm="orders"'


def test_public_and_optional_routes_take_bodies_from_everybody(
    app: FastAPI, guard: Guard, issuer: Issuer
) -> None:
    app.post("/public")(by_json)
    app.post("/optional", dependencies=[guard.optional()])(by_json)
    for path in ("/public", "/optional"):
        assert posted(app, *BODIES["valid JSON"], path)[0].json() == 1
    refused, read = posted(app, *BODIES["valid JSON"], "/optional", **bearer(issuer.expired()))
    assert (refused.status_code, read) == (401, 0)


def test_what_the_application_has_overridden_is_not_asked(app: FastAPI, guard: Guard) -> None:
    token = guard.requires()

    async def user(token: Annotated[AccessToken, token]) -> str | None:
        return token.subject

    app.post("/itself", dependencies=[token])(by_json)
    app.post("/above", dependencies=[Depends(user)])(by_json)
    app.dependency_overrides[token.dependency] = lambda: None
    assert posted(app, *BODIES["valid JSON"], "/itself")[0].json() == 1
    app.dependency_overrides = {user: lambda: "made up"}
    assert posted(app, *BODIES["valid JSON"], "/above")[0].json() == 1
    assert posted(app, *BODIES["cut off"], "/above")[0].status_code == 422
    assert posted(app, *BODIES["valid JSON"], "/itself")[0].status_code == 401


def test_a_token_that_expires_while_an_answer_is_sent_is_not_asked_for_again(
    app: FastAPI, guard: Guard, issuer: Issuer
) -> None:
    @app.get("/", dependencies=[guard.requires()])
    async def stream() -> StreamingResponse:
        async def chunks() -> Any:
            yield b"1"
            issuer.clock.advance(1_000_000)
            for _ in range(5):
                await anyio.lowlevel.checkpoint()  # somebody listens for the client to go away meanwhile
            yield b"2"

        return StreamingResponse(chunks())

    assert TestClient(app).get("/", headers=bearer(issuer.token())).text == "12"


def test_another_refusal_of_the_application_comes_through(app: FastAPI, guard: Guard) -> None:
    def closed() -> None:
        raise HTTPException(429, "Not so fast.")

    app.get("/", dependencies=[Depends(closed), guard.requires()])(lambda: "let in")
    assert TestClient(app).get("/").json() == {"detail": "Not so fast."}


def test_two_guards_each_answer_for_themselves(guard: Guard, issuer: Issuer) -> None:
    def text(error: Any) -> tuple[str, bytes]:
        return "text/plain", error.reason.encode()

    other = Issuer("https://other.test", algorithm="ES256")
    second = Guard(other.resource_server(keys=other.jwks()), realm="stock", body=text)
    for guards in ([guard, second], [second, guard]):
        app = FastAPI()
        for one in guards:
            one.install(app)
        app.post("/orders", dependencies=[guard.requires()])(by_json)
        app.post("/stock", dependencies=[second.requires()])(by_json)
        orders, stock = (posted(app, *BODIES["cut off"], path)[0] for path in ("/orders", "/stock"))
        assert orders.headers["www-authenticate"] == 'Bearer realm="orders"'
        assert orders.json()["error"] == "no_credentials"
        assert stock.headers["www-authenticate"] == 'Bearer realm="stock"'
        assert stock.text == "no_credentials"


# -- annotations that FastAPI cannot resolve -------------------------------------------------------------


def with_text(view: Any, **annotations: str) -> Any:
    """What `from __future__ import annotations` makes of a function."""
    view.__annotations__ = annotations
    return view


def directly(app: FastAPI) -> None:
    app.get("/orders")(with_text(lambda token: 1, token="Annotated[AccessToken, local.requires()]"))


def by_a_local_name(app: FastAPI) -> None:
    app.get("/orders")(with_text(lambda token: 1, token="Reader"))


def with_a_default(app: FastAPI) -> None:
    app.get("/orders")(with_text(lambda token=None: 1, token="Reader"))


def in_a_dependency(app: FastAPI) -> None:
    app.get("/orders", dependencies=[Depends(with_text(lambda token: 1, token="Reader"))])(lambda: 1)


def in_an_included_router(app: FastAPI) -> None:
    outer, inner = APIRouter(), APIRouter()
    inner.get("/orders")(with_text(lambda number, token: 1, number="int", token="Reader"))
    outer.include_router(inner)
    app.include_router(outer)


def in_a_mounted_application(app: FastAPI) -> None:
    mounted = FastAPI()
    directly(mounted)
    app.mount("/mounted", mounted)


def of_a_websocket(app: FastAPI) -> None:
    async def view(websocket: Any, token: Any) -> None: ...

    view.__annotations__ = {"websocket": WebSocket, "token": "Reader", "return": None}
    app.websocket("/orders")(view)


UNRESOLVED = [
    directly,
    by_a_local_name,
    with_a_default,
    in_a_dependency,
    in_an_included_router,
    in_a_mounted_application,
    of_a_websocket,
]
SAID = r"'token' of the route '/orders' .*'(Reader|Annotated.*)', which FastAPI cannot resolve.*__future__"


@pytest.fixture(params=UNRESOLVED)
def unresolved(request: pytest.FixtureRequest, app: FastAPI) -> FastAPI:
    request.param(app)
    app.get("/public")(lambda: "hello")
    return app


def test_a_guard_that_fastapi_cannot_see_is_named_when_the_application_starts(unresolved: FastAPI) -> None:
    with pytest.raises(ConfigurationError, match=SAID), TestClient(unresolved):
        pass


def test_a_server_is_told_that_the_application_cannot_start(unresolved: FastAPI) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def main() -> None:
        with pytest.raises(ConfigurationError):
            await unresolved({"type": "lifespan", "state": {}}, receive, send)

    anyio.run(main)
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "__future__" in sent[0]["message"]


def test_where_nothing_starts_the_first_request_says_it_and_nobody_gets_in(unresolved: FastAPI) -> None:
    client = TestClient(unresolved)
    for path in ("/orders", "/orders?token=made-up", "/public"):
        with pytest.raises(ConfigurationError, match=SAID):
            client.get(path)


def test_whoever_asks_for_the_document_is_told_too(unresolved: FastAPI) -> None:
    with pytest.raises(ConfigurationError, match=SAID):
        unresolved.openapi()


def test_text_that_fastapi_can_resolve_and_types_that_it_need_not_are_left_alone(app: FastAPI) -> None:
    app.get("/")(with_text(lambda number: number, number="int"))
    given = Depends(lambda: 1)
    app.get("/given")(with_text(lambda value=given: value, value="OnlyForTypeCheckers"))
    with TestClient(app) as client:
        assert client.get("/?number=7").json() == 7
        assert client.get("/given").json() == 1
