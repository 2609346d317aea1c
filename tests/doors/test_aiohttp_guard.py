"""What is aiohttp's own, behind its real server: WebSockets, sub-applications, CORS, its exceptions."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp_cors
import anyio
import pytest
from aiohttp import WSServerHandshakeError, web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict
from yarl import URL

from bearerguard import ConfigurationError, ResourceServer, Revocation, scope
from bearerguard.aiohttp import Guard
from bearerguard.context import verified_token
from bearerguard.testing import Clock, Issuer

Client = TestClient[Any, Any]
RESOURCE = "https://api.example/v1"


@pytest.fixture
def server(issuer: Issuer) -> ResourceServer:
    return issuer.resource_server(keys=issuer.jwks())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def asked(app: web.Application, ask: Callable[[Client], Awaitable[None]]) -> None:
    """Ask an application behind aiohttp's own server."""

    async def main() -> None:
        async with TestClient(TestServer(app)) as client:
            await ask(client)

    anyio.run(main)


def application(*routes: web.AbstractRouteDef, **options: Any) -> web.Application:
    app = web.Application(**options)
    app.add_routes(routes)
    return app


async def who(request: web.Request) -> web.Response:
    token = verified_token()
    return web.json_response({"who": None if token is None else token.subject})


def test_an_application_with_a_guard_above_the_route_does_not_start(server: ResourceServer) -> None:
    guard, routes = Guard(server), web.RouteTableDef()

    @guard.requires(scope("a"))
    @routes.get("/")
    async def orders(request: web.Request) -> web.Response:
        raise AssertionError("nobody is let in")

    app = guard.install(web.Application())
    app.add_routes(routes)
    with pytest.raises(ConfigurationError, match=r"orders is served without its rule: write @routes\.get"):
        anyio.run(web.AppRunner(app).setup)


def test_one_class_may_be_served_with_a_rule_and_without(server: ResourceServer) -> None:
    class Orders(web.View):
        async def get(self) -> web.Response:
            return web.Response()

    guard = Guard(server)
    guarded = guard.requires()(Orders)

    async def ask(client: Client) -> None:
        assert [(await client.get(path)).status for path in ("/public", "/")] == [200, 401]

    asked(guard.install(application(web.view("/public", Orders), web.view("/", guarded))), ask)


def test_a_handler_finds_the_token_and_one_without_a_guard_is_told(
    issuer: Issuer, server: ResourceServer
) -> None:
    guard = Guard(server)

    async def known(request: web.Request) -> web.Response:
        return web.Response(text=str(guard.token(request).subject))

    async def unknown(request: web.Request) -> web.Response:
        with pytest.raises(LookupError, match="is its handler guarded"):
            guard.token(request)
        return web.Response(text=str(guard.token_or_none(request)))

    async def ask(client: Client) -> None:
        answer = await client.get("/known", headers=bearer(issuer.token("ada")))
        assert await answer.text() == "ada"
        assert await (await client.get("/unknown")).text() == "None"

    asked(application(web.get("/known", guard.requires()(known)), web.get("/unknown", unknown)), ask)


def test_requests_of_one_connection_each_have_their_own_caller(
    issuer: Issuer, server: ResourceServer
) -> None:
    guard = Guard(server)
    app = application(web.get("/", guard.requires()(who)), web.get("/open", who))

    async def ask(client: Client) -> None:
        for path, headers, subject in [
            ("/", bearer(issuer.token("ada")), "ada"),
            ("/open", {}, None),
            ("/", bearer(issuer.token("ben")), "ben"),
            ("/open", bearer(issuer.token("ada")), None),
        ]:
            assert await (await client.get(path, headers=headers)).json() == {"who": subject}

    asked(app, ask)


def test_a_repeated_field_is_refused_as_it_came_over_the_wire(issuer: Issuer, server: ResourceServer) -> None:
    token = f"Bearer {issuer.token()}"

    async def ask(client: Client) -> None:
        twice = CIMultiDict([("Authorization", token), ("Authorization", token)])
        assert (await client.get("/", headers=twice)).status == 400

    asked(application(web.get("/", Guard(server).requires()(who))), ask)


def test_a_middleware_of_a_sub_application_guards_all_of_it_and_leaves_the_rest_alone(
    issuer: Issuer, server: ResourceServer
) -> None:
    guard = Guard(server, resource=RESOURCE)
    inner = application(
        web.get("/orders", who),
        web.get("/health", who),
        middlewares=[guard.middleware(scope("orders:read"), public_paths={"/v1/health"})],
    )
    app = application(web.get("/open", who))
    app.add_subapp("/v1", inner)
    guard.install(app)

    async def ask(client: Client) -> None:
        good = bearer(issuer.token(scope="orders:read"))
        for path, headers, status in [
            ("/open", {}, 200),
            ("/v1/orders", {}, 401),
            ("/v1/orders", bearer(issuer.token()), 403),
            ("/v1/orders", good, 200),
            ("/v1/health", {}, 200),
            ("/v1/nothing", {}, 401),
            ("/v1/nothing", good, 404),
            ("/.well-known/oauth-protected-resource/v1", {}, 200),
        ]:
            assert (await client.get(path, headers=headers)).status == status, path

    asked(app, ask)


@pytest.mark.parametrize("written", ["/a%2Fb", "/a%2fb", "/%61%2fb", "/a%2Fb?x=1"])
def test_a_path_that_the_router_reads_otherwise_is_not_public(written: str, server: ResourceServer) -> None:
    """`request.path` has the slash decoded, and aiohttp's router does not: it takes `a/b` for a name."""
    guard = Guard(server)
    app = application(
        web.get("/{name}", who), web.get("/a/b", who), middlewares=[guard.middleware(public_paths="/a/b")]
    )

    async def ask(client: Client) -> None:
        assert (await client.get(URL(written, encoded=True))).status == 401
        assert (await client.get(URL("/%61/b?of=%2f%2e", encoded=True))).status == 200

    asked(app, ask)


def test_the_metadata_pass_the_middleware_of_the_whole_application(server: ResourceServer) -> None:
    guard = Guard(server, resource=RESOURCE)
    app = guard.install(application(web.get("/", who), middlewares=[guard.middleware(scope("orders:read"))]))

    async def ask(client: Client) -> None:
        answer = await client.get("/.well-known/oauth-protected-resource/v1")
        assert (await answer.json())["scopes_supported"] == ["orders:read"]
        assert (await client.get("/")).status == 401

    asked(app, ask)


@pytest.mark.parametrize("how", ["decorator", "middleware"])
def test_a_browsers_question_passes_and_what_it_asked_for_does_not(
    issuer: Issuer, server: ResourceServer, how: str
) -> None:
    guard = Guard(server)
    app = web.Application(middlewares=[guard.middleware()] if how == "middleware" else [])
    handler = guard.requires()(who) if how == "decorator" else who
    # It comes without types.
    options = aiohttp_cors.ResourceOptions(allow_headers=["Authorization"])  # type: ignore[no-untyped-call]  # aiohttp-cors has no types
    cors = aiohttp_cors.setup(app, defaults={"https://page.example": options})
    cors.add(app.router.add_get("/", handler))
    app.router.add_route("*", "/any", handler)

    async def ask(client: Client) -> None:
        question = {
            "Origin": "https://page.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        }
        answer = await client.options("/", headers=question)
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "https://page.example"
        refused = await client.get("/", headers={"Origin": "https://page.example"})
        assert refused.status == 401
        assert refused.headers["Access-Control-Allow-Origin"] == "https://page.example"
        # A handler for every method is not entered by it.
        answer = await client.options("/any", headers=question)
        assert (answer.status, await answer.read()) == (204, b"")
        assert (await client.options("/any")).status == 401

    asked(app, ask)


def test_an_exception_of_aiohttp_within_a_guarded_handler_stays_what_it_is(
    issuer: Issuer, server: ResourceServer
) -> None:
    @Guard(server).requires()
    async def moved(request: web.Request) -> web.Response:
        raise web.HTTPFound("/elsewhere")

    async def ask(client: Client) -> None:
        answer = await client.get("/", headers=bearer(issuer.token()), allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (302, "/elsewhere")

    asked(application(web.get("/", moved)), ask)


def test_a_middleware_that_words_errors_leaves_status_and_challenge(server: ResourceServer) -> None:
    @web.middleware
    async def worded(request: web.Request, handler: Any) -> web.StreamResponse:
        answer: web.StreamResponse = await handler(request)
        if answer.status == 401:
            kept = {"WWW-Authenticate": answer.headers["WWW-Authenticate"]}
            return web.Response(status=401, text="Please log in.", headers=kept)
        return answer

    async def ask(client: Client) -> None:
        answer = await client.get("/")
        assert (answer.status, await answer.text()) == (401, "Please log in.")
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    asked(application(web.get("/", Guard(server).requires()(who)), middlewares=[worded]), ask)


@pytest.mark.parametrize("what", ["text", 7, type("Other", (), {})])
def test_what_is_not_a_handler_is_refused_when_it_is_decorated(server: ResourceServer, what: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"web\.View"):
        Guard(server).requires()(what)


def test_a_function_without_a_request_is_told(server: ResourceServer) -> None:
    @Guard(server).requires()
    async def handler(number: int) -> None: ...

    with pytest.raises(ConfigurationError, match="decorate only handlers"):
        anyio.run(handler, 7)


def test_the_log_says_the_route(server: ResourceServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bearerguard")

    async def ask(client: Client) -> None:
        await client.get("/orders/7?key=secret")

    asked(application(web.get("/orders/{number}", Guard(server).requires()(who))), ask)
    (told,) = [record for record in caplog.records if record.name == "bearerguard"]
    assert vars(told)["route"] == "/orders/{number}"


# -- WebSockets ------------------------------------------------------------------------------------------


async def chat(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_str("hello")
    async for _ in socket:
        await socket.send_str("again")
    return socket


def test_the_opening_of_a_websocket_is_refused_with_status_and_challenge(
    issuer: Issuer, server: ResourceServer
) -> None:
    async def ask(client: Client) -> None:
        async with client.ws_connect("/", headers=bearer(issuer.token())) as socket:
            assert await socket.receive_str() == "hello"
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect("/", headers=bearer(issuer.expired()))
        assert refused.value.status == 401
        assert refused.value.headers is not None
        assert 'error="invalid_token"' in refused.value.headers["WWW-Authenticate"]

    asked(application(web.get("/", Guard(server).requires()(chat))), ask)


def test_a_websocket_is_closed_with_its_token_where_that_was_asked_for(issuer: Issuer) -> None:
    clock = Clock(issuer.clock())
    server = issuer.resource_server(keys=issuer.jwks(), clock=clock, leeway=0)
    guard = Guard(server, close_at_expiry=True)

    async def late(request: web.Request) -> web.StreamResponse:
        clock.advance(61)
        return await chat(request)

    app = guard.install(application(web.get("/", guard.requires()(late)), web.get("/open", chat)))

    async def ask(client: Client) -> None:
        token = issuer.token(exp=clock() + 60)
        async with client.ws_connect("/", headers=bearer(token)) as socket:
            messages = [message async for message in socket]
        assert [message.data for message in messages] in (["hello"], [])
        assert socket.close_code == 4401
        async with client.ws_connect("/open") as socket:
            assert await socket.receive_str() == "hello"

    asked(app, ask)


def test_a_websocket_does_not_open_where_nobody_would_close_it(
    issuer: Issuer, server: ResourceServer
) -> None:
    guard = Guard(server, close_at_expiry=True)
    guarded = web.get("/", guard.requires()(chat)), web.get("/who", guard.requires()(who))
    forgotten = application(*guarded)
    outer = guard.install(web.Application())
    outer.add_subapp("/below", application(*guarded))

    async def refused(client: Client) -> None:
        with pytest.raises(WSServerHandshakeError) as told:
            await client.ws_connect("/", headers=bearer(issuer.token()))
        assert told.value.status == 500
        assert (await client.get("/who", headers=bearer(issuer.token()))).status == 200

    async def opened(client: Client) -> None:
        async with client.ws_connect("/below/", headers=bearer(issuer.token())) as socket:
            assert await socket.receive_str() == "hello"

    asked(forgotten, refused)
    asked(outer, opened)


def test_a_websocket_is_closed_when_its_token_is_revoked(issuer: Issuer) -> None:
    server = issuer.resource_server(keys=issuer.jwks(), revocation=Revocation(max_lag=1))
    guard = Guard(server, close_at_expiry=True)
    app = guard.install(application(web.get("/", guard.requires()(chat))))

    async def ask(client: Client) -> None:
        async with client.ws_connect("/", headers=bearer(issuer.token("ada"))) as socket:
            assert await socket.receive_str() == "hello"
            await server.arevoke(subject="ada")
            messages = [message async for message in socket]
        assert messages == []
        assert socket.close_code == 4401

    asked(app, ask)


def test_a_websocket_that_ends_by_itself_leaves_nobody_waiting(
    issuer: Issuer, server: ResourceServer
) -> None:
    guard = Guard(server, close_at_expiry=True)
    app = guard.install(application(web.get("/", guard.requires()(chat))))

    async def ask(client: Client) -> None:
        for _ in range(3):
            async with client.ws_connect("/", headers=bearer(issuer.token())) as socket:
                assert await socket.receive_str() == "hello"
        await anyio.wait_all_tasks_blocked()

    asked(app, ask)
