"""Frameworks whose requests a guard in front of them checks: what each says to good tokens and to others."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx2
import pytest
import quart
from quart.testing.connections import WebsocketResponseError
from sanic import Sanic
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from bearerguard import ProviderUnavailable, scope
from bearerguard.testing import Issuer
from tests.doors_under_test.real_server import serving
from tests.recipes.page import recipe

Ask = Callable[..., httpx2.Response]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def over_asgi(app: Any) -> Iterator[Ask]:
    """Under a real server: Sanic and Falcon are particular about the lifespan that it begins with."""
    with serving(app, lifespan="on") as port, httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        yield client.request


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def over_wsgi(app: Any) -> Iterator[Ask]:
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with httpx2.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:
            yield client.request
        server.shutdown()
        thread.join()


FRAMEWORKS = {
    "Quart": (over_asgi, "Quart", 1),
    "Sanic": (over_asgi, "Sanic", 1),
    "Falcon over ASGI": (over_asgi, "Falcon", 1),
    "Falcon over WSGI": (over_wsgi, "Falcon", 2),
}


@pytest.fixture(params=FRAMEWORKS)
def ask(request: pytest.FixtureRequest, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    # Sanic rewrites its own methods when it starts, once in a process, and runs a program for its greeting.
    monkeypatch.setenv("SANIC_TOUCHUP", "no")
    monkeypatch.setenv("SANIC_MOTD", "no")
    client, heading, number = FRAMEWORKS[request.param]
    app = recipe(heading, number)["create_app"](issuer.resource_server())
    with client(app) as asked:
        yield asked
    Sanic._app_registry.clear()  # an application of one name is there once in a process


def test_the_application_finds_the_token(ask: Ask, issuer: Issuer) -> None:
    answer = ask("DELETE", "/orders/7", headers=bearer(issuer.token("ada", "orders:write")))
    assert (answer.status_code, answer.json()) == (200, {"cancelled": 7, "by": "ada"})


def test_no_request_without_a_valid_token_comes_in(ask: Ask, issuer: Issuer) -> None:
    for headers in ({}, bearer(issuer.expired(scope="orders:write"))):
        answer = ask("DELETE", "/orders/7", headers=headers)
        assert answer.status_code == 401
        assert ('error="invalid_token"' in answer.headers["WWW-Authenticate"]) is bool(headers)
    assert ask("GET", "/nothing/there").status_code == 401


def test_two_tokens_are_one_too_many(ask: Ask, issuer: Issuer) -> None:
    token = issuer.token("ada", "orders:write")
    twice = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    assert ask("DELETE", "/orders/7", headers=twice).status_code == 400


def test_what_a_route_asks_for_is_named(ask: Ask, issuer: Issuer) -> None:
    answer = ask("DELETE", "/orders/7", headers=bearer(issuer.token("ada", "orders:read")))
    assert answer.status_code == 403
    assert answer.headers["WWW-Authenticate"].startswith('Bearer error="insufficient_scope"')
    assert answer.headers["WWW-Authenticate"].endswith('scope="orders:write"')
    assert answer.headers.get_list("Content-Type") == ["application/json"]
    assert answer.json()["error"] == "insufficient_scope"


def test_an_outage_at_the_provider_is_not_a_bad_token(ask: Ask, issuer: Issuer) -> None:
    with issuer.outage():
        answer = ask("DELETE", "/orders/7", headers=bearer(issuer.token("ada", "orders:write")))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_a_websocket_of_quart_is_checked_before_it_is_accepted(issuer: Issuer) -> None:
    app = recipe("Quart")["create_app"](issuer.resource_server(keys=issuer.jwks()))

    async def changes() -> None:
        connection: Any = quart.websocket.scope
        await quart.websocket.send(connection["bearerguard.token"].subject)

    app.add_websocket("/changes", view_func=changes)

    async def first_message(token: str) -> Any:
        async with app.test_client().websocket("/changes", headers=bearer(token)) as socket:
            return await socket.receive()

    assert asyncio.run(first_message(issuer.token("ada"))) == "ada"
    with pytest.raises(WebsocketResponseError) as refused:
        asyncio.run(first_message(issuer.expired()))
    assert refused.value.response.status_code == 401


def test_what_the_recipe_for_sanic_returns_is_not_for_its_own_server(issuer: Issuer) -> None:
    app = recipe("Sanic")["create_app"](issuer.resource_server())
    assert not isinstance(app, Sanic)
    Sanic._app_registry.clear()


# -- GraphQL ---------------------------------------------------------------------------------------------


def test_a_query_needs_a_token_and_a_field_may_need_more(issuer: Issuer) -> None:
    client = TestClient(recipe("Strawberry")["create_app"](issuer.resource_server()))

    def query(headers: dict[str, str]) -> httpx2.Response:
        return client.post("/", json={"query": "{ orders }"}, headers=headers)

    read = query(bearer(issuer.token("ada", "orders:read")))
    assert read.json() == {"data": {"orders": ["a lamp for ada"]}}
    refused = query(bearer(issuer.expired(scope="orders:read")))
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    assert client.get("/", headers={"Accept": "text/html"}).status_code == 401
    weak = query(bearer(issuer.token("ada", "orders:write")))
    assert (weak.status_code, weak.json()["data"]) == (200, None)
    (error,) = weak.json()["errors"]
    assert error["extensions"] == {"code": "FORBIDDEN"}


# -- AWS Lambda ------------------------------------------------------------------------------------------


def event(*authorization: str) -> dict[str, Any]:
    """A request as API Gateway gives it to a function (HTTP API, payload format 2.0)."""
    headers = {"host": "api.example"} | ({"authorization": ",".join(authorization)} if authorization else {})
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/orders",
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "http": {"method": "GET", "path": "/orders", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }


CONTEXT = SimpleNamespace(aws_request_id="1")


@pytest.fixture
def event_loop_of_the_thread() -> Iterator[None]:
    """Mangum makes one where there is not one, and closes none."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.usefixtures("event_loop_of_the_thread")
def test_a_function_behind_mangum_refuses_as_a_server_does(issuer: Issuer) -> None:
    async def orders(request: Request) -> JSONResponse:
        return JSONResponse(request.scope["bearerguard.token"].subject)

    app = Starlette(routes=[Route("/orders", orders)])
    handler = recipe("AWS Lambda")["create_handler"](app, issuer.resource_server())

    def ask(*tokens: str) -> tuple[int, str, Any]:
        answer = handler(event(*(f"Bearer {token}" for token in tokens)), CONTEXT)
        body = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"]
        return answer["statusCode"], answer["headers"].get("www-authenticate", ""), json.loads(body)

    good = issuer.token("ada", "orders:read")
    assert ask(good) == (200, "", "ada")
    assert ask()[0] == 401
    assert ask(good, good)[0] == 400
    status, challenge, _ = ask(issuer.token("ada", "orders:write"))
    assert (status, 'scope="orders:read"' in challenge) == (403, True)
    status, challenge, _ = ask(issuer.expired(scope="orders:read"))
    assert (status, 'error="invalid_token"' in challenge) == (401, True)


def test_an_authorizer_says_yes_or_no_and_in_an_outage_neither(issuer: Issuer) -> None:
    def authorizer() -> Any:
        return recipe("AWS Lambda", 2)["create_authorizer"](issuer.resource_server(), scope("orders:read"))

    good = issuer.token("ada", "orders:read")
    answer = authorizer()(event(f"Bearer {good}"), CONTEXT)
    assert answer == {"isAuthorized": True, "context": {"sub": "ada", "scope": "orders:read"}}
    refused = {"isAuthorized": False}
    assert authorizer()(event(f"Bearer {issuer.expired()}"), CONTEXT) == refused
    assert authorizer()(event(f"Bearer {issuer.token('ada')}"), CONTEXT) == refused
    assert authorizer()(event(f"Bearer {good}", f"Bearer {good}"), CONTEXT) == refused
    assert authorizer()(event(), CONTEXT) == refused
    other = Issuer("https://away.test")
    waiting = recipe("AWS Lambda", 2)["create_authorizer"](other.resource_server(), scope("orders:read"))
    with other.outage(), pytest.raises(ProviderUnavailable):
        waiting(event(f"Bearer {other.token('ada', 'orders:read')}"), CONTEXT)
