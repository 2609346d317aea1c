"""The guard for Starlette: decorated functions, classes and WebSockets, middleware, mounted applications.

What every door does alike is in tests/conformance.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from bearerguard import AuthError, ConfigurationError, ResourceServer, scope
from bearerguard.answer import problem_details
from bearerguard.starlette import Guard
from bearerguard.testing import Issuer

RESOURCE = "https://api.example/v1"
PATHS = ("/.well-known/oauth-protected-resource/v1", "/.well-known/oauth-protected-resource")


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def server(issuer: Issuer) -> ResourceServer:
    return issuer.resource_server(keys=issuer.jwks())


@pytest.fixture
def guard(server: ResourceServer) -> Guard:
    return Guard(server)


@pytest.fixture
def bearer(issuer: Issuer) -> Bearer:
    """The header field with a token of these scopes."""

    def bearer(*scopes: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {issuer.token('ada', scopes)}"}

    return bearer


Bearer = Callable[..., dict[str, str]]


def client(*routes: Any, **options: Any) -> TestClient:
    return TestClient(Starlette(routes=routes, **options))


# -- functions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_functions_of_both_kinds_are_guarded_on_every_event_loop(
    guard: Guard, bearer: Bearer, backend: Any
) -> None:
    @guard.requires(scope("a"))
    async def task(request: Request) -> JSONResponse:
        return JSONResponse(guard.token(request).subject)

    @guard.requires(scope("a"))
    def function(request: Request) -> JSONResponse:
        return JSONResponse(guard.token(request).subject)

    app = Starlette(routes=[Route("/task", task), Route("/function", function)])
    client = TestClient(app, backend=backend)
    for path in ("/task", "/function"):
        assert client.get(path, headers=bearer("a")).json() == "ada"
        assert client.get(path, headers=bearer("b")).status_code == 403
        assert client.get(path).status_code == 401


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_keys_are_fetched_without_blocking_whatever_the_endpoint_is(backend: Any) -> None:
    """A call that blocked asyncio's loop would fail this test, as it does all: see tests/conftest.py."""
    issuer = Issuer(algorithm="ES256")
    guard = Guard(issuer.resource_server())

    async def task(request: Request) -> JSONResponse:
        return JSONResponse(guard.token(request).subject)

    def function(request: Request) -> JSONResponse:
        return JSONResponse(guard.token(request).subject)

    endpoints: list[Any] = [task, function, type("View", (HTTPEndpoint,), {"get": staticmethod(task)})]
    for endpoint in endpoints:
        issuer.rotate(overlap=False)  # the next token needs new keys
        issuer.clock.advance(60)
        headers = {"Authorization": f"Bearer {issuer.token('ada')}"}
        app = Starlette(routes=[Route("/", guard.requires()(endpoint))])
        assert TestClient(app, backend=backend).get("/", headers=headers).json() == "ada"
    assert issuer.count("/jwks") == len(endpoints)


def test_a_decorated_function_keeps_its_name(guard: Guard) -> None:
    @guard.requires()
    async def orders(request: Request) -> Response:
        """List orders."""
        raise AssertionError

    assert (orders.__name__, orders.__doc__) == ("orders", "List orders.")
    assert Starlette(routes=[Route("/orders", orders)]).url_path_for("orders") == "/orders"


def test_a_partial_function_is_an_endpoint(guard: Guard, bearer: Bearer) -> None:
    async def task(greeting: str, request: Request) -> JSONResponse:
        return JSONResponse(f"{greeting}, {guard.token(request).subject}")

    def function(greeting: str, request: Request) -> JSONResponse:
        return JSONResponse(f"{greeting}, {guard.token(request).subject}")

    for endpoint in (task, function):
        route = Route("/", guard.requires()(functools.partial(endpoint, "hello")))
        assert client(route).get("/", headers=bearer()).json() == "hello, ada"
        assert client(route).get("/").status_code == 401


def test_a_method_of_an_object_is_an_endpoint(guard: Guard, bearer: Bearer) -> None:
    class Orders:
        def __init__(self, greeting: str) -> None:
            self.greeting = greeting

        @guard.requires(scope("a"))
        async def hello(self, request: Request) -> JSONResponse:
            return JSONResponse(f"{self.greeting}, {guard.token(request).subject}")

    route = Route("/", Orders("hello").hello)
    assert client(route).get("/", headers=bearer("a")).json() == "hello, ada"
    assert client(route).get("/", headers=bearer("b")).status_code == 403


def test_a_route_may_do_without_a_token_but_not_with_a_bad_one(
    guard: Guard, bearer: Bearer, issuer: Issuer
) -> None:
    @guard.optional()
    async def view(request: Request) -> JSONResponse:
        token = guard.token_or_none(request)
        return JSONResponse(None if token is None else token.subject)

    asked = client(Route("/", view))
    assert asked.get("/").json() is None
    assert asked.get("/", headers=bearer()).json() == "ada"
    assert asked.get("/", headers={"Authorization": f"Bearer {issuer.forged()}"}).status_code == 401


def test_a_token_is_looked_for_where_none_can_be(guard: Guard) -> None:
    async def view(request: Request) -> Response:
        assert guard.token_or_none(request) is None
        with pytest.raises(LookupError, match="is its route protected"):
            guard.token(request)
        return Response()

    assert client(Route("/", view)).get("/").status_code == 200


def test_errors_of_the_application_are_its_own(guard: Guard, bearer: Bearer) -> None:
    @guard.requires()
    async def view(request: Request) -> Response:
        raise HTTPException(404, "There is no such order.")

    answer = client(Route("/", view)).get("/", headers=bearer())
    assert (answer.status_code, answer.text) == (404, "There is no such order.")


# -- classes ---------------------------------------------------------------------------------------------


class Orders(HTTPEndpoint):
    """Orders, in memory."""

    async def get(self, request: Request) -> Response:
        return JSONResponse(self.seen_by(request))

    def post(self, request: Request) -> Response:
        return JSONResponse(self.seen_by(request), 201)

    def seen_by(self, request: Request) -> Any:
        return getattr(request.scope.get("bearerguard.token"), "subject", None)


def test_every_method_of_a_class_is_guarded(guard: Guard, bearer: Bearer) -> None:
    asked = client(Route("/", guard.requires(scope("a"))(Orders)))
    assert asked.get("/", headers=bearer("a")).json() == "ada"
    assert asked.post("/", headers=bearer("a")).status_code == 201
    assert asked.delete("/", headers=bearer("a")).status_code == 405
    for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS"):
        assert asked.request(method, "/").status_code == 401
        assert asked.request(method, "/", headers=bearer("b")).status_code == 403


def test_a_guarded_class_is_another_class_and_the_first_stays_as_it_was(guard: Guard) -> None:
    guarded = guard.requires(scope("a"))(Orders)
    assert (guarded.__name__, guarded.__qualname__, guarded.__module__, guarded.__doc__) == (
        "Orders",
        "Orders",
        __name__,
        "Orders, in memory.",
    )
    assert issubclass(guarded, Orders)
    assert client(Route("/", Orders)).get("/").json() is None
    assert client(Route("/", guarded)).get("/").status_code == 401


def test_a_class_whose_methods_ask_for_different_things(guard: Guard, bearer: Bearer) -> None:
    class Order(HTTPEndpoint):
        @guard.requires(scope("read"))
        async def get(self, request: Request) -> Response:
            return JSONResponse("read")

        @guard.requires(scope("write"))
        def put(self, request: Request) -> Response:
            return JSONResponse("written")

    asked = client(Route("/", Order))
    assert asked.get("/", headers=bearer("read")).json() == "read"
    assert asked.put("/", headers=bearer("read")).status_code == 403
    assert asked.put("/", headers=bearer("write")).json() == "written"


def test_a_class_may_do_without_a_token(guard: Guard, bearer: Bearer) -> None:
    asked = client(Route("/", guard.optional()(Orders)))
    assert asked.get("/").json() is None
    assert asked.get("/", headers=bearer()).json() == "ada"


# -- what is not an endpoint ---------------------------------------------------------------------------------


class Application:
    """An ASGI application that is an object."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse(scope["bearerguard.token"].subject)(scope, receive, send)


@pytest.mark.parametrize(
    ("what", "advice"),
    [
        (Application(), r"protect\(app, rule\)"),
        (Starlette(), r"protect\(app, rule\)"),
        ("orders", "decorate a function or a class"),
        (int, "neither an HTTPEndpoint nor a WebSocketEndpoint"),
    ],
    ids=["object", "Starlette", "text", "class"],
)
def test_what_is_not_an_endpoint_is_told_where_it_is_decorated(guard: Guard, what: Any, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        guard.requires()(what)


def test_an_application_that_is_an_object_stands_behind_a_rule(guard: Guard, bearer: Bearer) -> None:
    asked = client(Mount("/", guard.protect(Application(), scope("a"))))
    assert asked.get("/", headers=bearer("a")).text == "ada"
    assert asked.get("/", headers=bearer("b")).status_code == 403


def test_a_function_that_is_called_without_a_request_says_so(guard: Guard) -> None:
    @guard.requires()
    def no_endpoint(request: Any) -> None:
        raise AssertionError

    with pytest.raises(ConfigurationError, match="no_endpoint was called without a request"):
        anyio.run(no_endpoint, "a request")  # type: ignore[arg-type]


# -- WebSockets ------------------------------------------------------------------------------------------


def greeting(guard: Guard, form: str) -> tuple[Any, list[str | None]]:
    """A route that asks for the scope `a`, in one of the forms of Starlette, and who was let in."""
    entered: list[str | None] = []

    async def greet(websocket: WebSocket) -> None:
        entered.append(guard.token(websocket).subject)
        await websocket.accept()
        await websocket.send_text("hello")

    if form == "function":
        return WebSocketRoute("/ws", guard.requires(scope("a"))(greet)), entered
    if form == "class":

        class Greeting(WebSocketEndpoint):
            async def on_connect(self, websocket: WebSocket) -> None:
                await greet(websocket)

        return WebSocketRoute("/ws", guard.requires(scope("a"))(Greeting)), entered

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await greet(WebSocket(scope, receive, send))

    return Mount("/", guard.protect(app, scope("a"))), entered


FORMS = ["function", "class", "application"]


@pytest.mark.parametrize("form", FORMS)
def test_a_websocket_opens_for_a_token_in_its_header(guard: Guard, bearer: Bearer, form: str) -> None:
    route, entered = greeting(guard, form)
    with client(route).websocket_connect("/ws", headers=bearer("a")) as websocket:
        assert websocket.receive_text() == "hello"
    assert entered == ["ada"]


@pytest.mark.parametrize("form", FORMS)
def test_a_websocket_is_refused_like_any_request_where_the_server_can(
    guard: Guard, bearer: Bearer, form: str
) -> None:
    route, entered = greeting(guard, form)
    for headers, status, challenge in (({}, 401, "Bearer"), (bearer("b"), 403, 'scope="a"')):
        with (
            pytest.raises(WebSocketDenialResponse) as denial,
            client(route).websocket_connect("/ws", headers=headers),
        ):
            pass
        assert denial.value.status_code == status
        assert challenge in denial.value.headers["www-authenticate"]
        assert "message" in denial.value.json()
    assert entered == []


@pytest.mark.parametrize("form", FORMS)
def test_a_websocket_is_closed_before_it_is_accepted_where_the_server_cannot(
    guard: Guard, bearer: Bearer, form: str
) -> None:
    route, entered = greeting(guard, form)
    app = Starlette(routes=[route])

    async def without_extensions(scope: Any, receive: Any, send: Any) -> None:
        await app({name: value for name, value in scope.items() if name != "extensions"}, receive, send)

    with (
        pytest.raises(WebSocketDisconnect) as refusal,
        TestClient(without_extensions).websocket_connect("/ws", headers=bearer("b")),
    ):
        pass
    assert not isinstance(refusal.value, WebSocketDenialResponse)
    assert refusal.value.code == 1008
    assert refusal.value.reason == "The token does not have the scope that is needed."
    assert entered == []


def test_a_websocket_may_do_without_a_token(guard: Guard) -> None:
    @guard.optional()
    async def greet(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(guard.token_or_none(websocket))

    with client(WebSocketRoute("/ws", greet)).websocket_connect("/ws") as websocket:
        assert websocket.receive_json() is None


# -- whole applications ----------------------------------------------------------------------------------


async def whoami(request: Request) -> Response:
    return JSONResponse(getattr(request.scope.get("bearerguard.token"), "subject", None))


def test_middleware_stands_before_everything_but_what_is_public(guard: Guard, bearer: Bearer) -> None:
    app = Starlette(routes=[Route("/", whoami), Route("/health", whoami)])
    app.add_middleware(guard.protect, rule=scope("a"), public_paths={"/health"})
    declared = Starlette(
        routes=[Route("/", whoami), Route("/health", whoami)],
        middleware=[Middleware(guard.protect, rule=scope("a"), public_paths=["/health"])],
    )
    for asked in (TestClient(app), TestClient(declared)):
        assert asked.get("/", headers=bearer("a")).json() == "ada"
        assert asked.get("/", headers=bearer("b")).status_code == 403
        assert asked.get("/").status_code == 401
        assert asked.get("/nowhere").status_code == 401
        assert asked.get("/nowhere", headers=bearer("a")).status_code == 404
        assert asked.get("/health").json() is None


def test_the_life_of_an_application_is_nothing_to_be_guarded(guard: Guard) -> None:
    lived: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncGenerator[None]:
        lived.append("began")
        yield
        lived.append("ended")

    app = Starlette(lifespan=lifespan)
    with TestClient(guard.protect(app)):
        assert lived == ["began"]
    assert lived == ["began", "ended"]


def test_a_mounted_application_is_guarded_and_its_neighbours_are_not(guard: Guard, bearer: Bearer) -> None:
    api = Starlette(routes=[Route("/orders", whoami), Route("/health", whoami)])
    guarded = guard.protect(api, scope("a"), public_paths={"/health"})
    asked = client(Mount("/v1", guarded), Mount("/v2", api), Route("/", whoami))
    assert asked.get("/v1/orders", headers=bearer("a")).json() == "ada"
    assert asked.get("/v1/orders", headers=bearer("b")).status_code == 403
    assert asked.get("/v1/orders").status_code == 401
    assert asked.get("/v1/nowhere").status_code == 401
    assert asked.get("/v1/health").status_code == 200
    assert asked.get("/v2/orders").status_code == 200
    assert asked.get("/").status_code == 200


def test_a_mount_and_its_routes_both_ask(guard: Guard, bearer: Bearer) -> None:
    api = Starlette(routes=[Route("/", guard.requires(scope("b"))(whoami))])
    asked = client(Mount("/v1", api, middleware=[Middleware(guard.protect, rule=scope("a"))]))
    assert asked.get("/v1/", headers=bearer("a", "b")).json() == "ada"
    assert 'scope="a"' in asked.get("/v1/", headers=bearer("b")).headers["www-authenticate"]
    assert 'scope="b"' in asked.get("/v1/", headers=bearer("a")).headers["www-authenticate"]


# -- refusals --------------------------------------------------------------------------------------------


def refused(server: ResourceServer, **options: Any) -> Any:
    guard = Guard(server, **options)
    return client(Route("/", guard.requires()(whoami))).get("/", headers={"Host": "elsewhere.example"})


def test_a_refusal_is_json_by_default(server: ResourceServer) -> None:
    answer = refused(server)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"message": "The Authorization header is missing.", "error": "no_credentials"}


def test_a_refusal_is_problem_details_by_choice(server: ResourceServer) -> None:
    answer = refused(server, body=problem_details)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 401


def test_a_refusal_is_what_a_function_makes_of_it(server: ResourceServer) -> None:
    def body(error: AuthError) -> tuple[str, bytes]:
        return "text/plain; charset=utf-8", f"no: {error.reason} é".encode()

    assert refused(server, body=body).text == "no: no_credentials é"


def test_the_challenge_names_the_realm_and_the_metadata(server: ResourceServer) -> None:
    answer = refused(server, realm="orders", resource=RESOURCE)
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="orders", '
        'resource_metadata="https://api.example/.well-known/oauth-protected-resource/v1"'
    )


# -- the metadata of the resource (RFC 9728) -------------------------------------------------------------


@pytest.fixture
def published(server: ResourceServer) -> TestClient:
    guard = Guard(server, resource=RESOURCE)
    routes = [Route("/{anything:path}", guard.requires(scope("b", "a"))(whoami))]
    return TestClient(guard.install(Starlette(routes=routes)))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["api.example", "elsewhere.example"])
def test_metadata_stand_where_a_client_looks_whatever_host_it_asks(
    published: TestClient, issuer: Issuer, path: str, host: str
) -> None:
    answer = published.get(path, headers={"Host": host})
    assert answer.json() == {
        "resource": RESOURCE,
        "authorization_servers": [issuer.url],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["a", "b"],
    }
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert published.head(path, headers={"Host": host}).status_code == 200


def test_metadata_are_read_by_scripts_that_ask_first(published: TestClient) -> None:
    answer = published.options(PATHS[0], headers={"Origin": "https://client.example"})
    assert (answer.status_code, answer.headers["access-control-allow-headers"]) == (204, "*")


def test_other_paths_and_methods_are_the_applications(published: TestClient) -> None:
    assert published.get(f"{PATHS[0]}/more").status_code == 401
    assert published.post(PATHS[0]).status_code == 405


def test_without_a_resource_there_are_no_metadata(guard: Guard) -> None:
    assert TestClient(guard.install(Starlette())).get(PATHS[1]).status_code == 404


# -- guards that could get lost or mixed -----------------------------------------------------------------


def test_a_subclass_of_a_guarded_class_is_guarded_whatever_it_overrides(guard: Guard, bearer: Bearer) -> None:
    class Open(HTTPEndpoint):
        async def get(self, request: Request) -> PlainTextResponse:
            return PlainTextResponse("hello")

    class Child(guard.requires(scope("a"))(Open)):  # type: ignore[misc]
        async def dispatch(self) -> None:
            response = await self.get(Request(self.scope, self.receive))
            await response(self.scope, self.receive, self.send)

    @guard.requires(scope("b"))
    class Grandchild(Child):
        pass

    asked = client(Route("/child", Child), Route("/grandchild", Grandchild), Route("/open", Open))
    statuses = [asked.get(path, headers=bearer("a")).status_code for path in ("/child", "/grandchild")]
    assert statuses == [200, 403]
    assert asked.get("/grandchild", headers=bearer("a", "b")).text == "hello"
    assert [asked.get(path).status_code for path in ("/child", "/grandchild", "/open")] == [401, 401, 200]


def test_two_guards_in_one_application_each_answer_for_themselves(server: ResourceServer) -> None:
    def body(name: str) -> Any:
        return lambda error: ("text/plain", name.encode())

    async def hello(request: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    app = Starlette()
    for name in ("orders", "stock"):
        resource = f"https://api.example/{name}"
        guard = Guard(server, realm=name, resource=resource, body=body(name))
        app.router.routes.append(Route(f"/{name}", guard.requires()(hello)))
        guard.install(app)
    asked = TestClient(app)
    for name in ("orders", "stock"):
        answer = asked.get(f"/{name}")
        assert (answer.text, f'realm="{name}"' in answer.headers["www-authenticate"]) == (name, True)
        assert asked.get(f"{PATHS[1]}/{name}").json()["resource"] == f"https://api.example/{name}"
    # Of two resources, the first has the path that both have.
    assert asked.get(PATHS[1]).json()["resource"] == "https://api.example/orders"
