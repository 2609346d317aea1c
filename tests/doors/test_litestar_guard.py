"""What is Litestar's own: layers of guards, its exceptions, its document, its `request.auth`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from litestar import Controller, Litestar, Request, Response, Router, WebSocket, get, post, websocket
from litestar.background_tasks import BackgroundTask
from litestar.config.cors import CORSConfig
from litestar.exceptions import HTTPException, NotAuthorizedException, WebSocketDisconnect
from litestar.openapi.config import OpenAPIConfig
from litestar.params import Body
from litestar.response import Stream
from litestar.testing import TestClient
from openapi_spec_validator import validate

from bearerguard import Cookie, DPoP, ResourceServer, role, scope
from bearerguard.context import verified_token
from bearerguard.litestar import Guard, RefusedRequest
from bearerguard.testing import Issuer

AnyRequest = Request[Any, Any, Any]
RESOURCE = "https://api.example/v1"


@pytest.fixture
def server(issuer: Issuer) -> ResourceServer:
    return issuer.resource_server(keys=issuer.jwks())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def client(*handlers: Any, guard: Guard | None = None, **options: Any) -> TestClient[Any]:
    plugins = [] if guard is None else [guard]
    return TestClient(Litestar(handlers, plugins=plugins, logging_config=None, **options))


@get("/")
async def who(request: AnyRequest) -> dict[str, str | None]:
    return {"who": None if request.auth is None else request.auth.subject}


def test_a_handler_finds_the_token_as_auth_and_none_where_it_is_optional(
    issuer: Issuer, server: ResourceServer
) -> None:
    guard = Guard(server)
    with client(Router("/", route_handlers=[who], guards=[guard.optional()]), guard=guard) as api:
        assert api.get("/", headers=bearer(issuer.token("ada"))).json() == {"who": "ada"}
        assert api.get("/").json() == {"who": None}
        assert api.get("/", headers=bearer(issuer.expired())).status_code == 401


def test_every_layer_asks_for_its_own_and_metadata_stay_open(issuer: Issuer, server: ResourceServer) -> None:
    guard = Guard(server, resource=RESOURCE)

    class Orders(Controller):
        path = "/orders"
        guards = [guard.requires(scope("orders:read"))]  # noqa: RUF012 - as Litestar has it

        @get("/", guards=[guard.requires(role("admin"))])
        async def orders(self) -> str:
            return "all"

    with client(Orders, who, guard=guard, guards=[guard.requires()]) as api:
        assert api.get("/").status_code == 401
        assert api.get("/", headers=bearer(issuer.token())).status_code == 200
        asked: list[tuple[dict[str, Any], int]] = [
            ({}, 403),
            ({"scope": "orders:read"}, 403),
            ({"scope": "orders:read", "roles": ["admin"]}, 200),
        ]
        for claims, status in asked:
            assert api.get("/orders", headers=bearer(issuer.token(**claims))).status_code == status, claims
        document = api.get("/.well-known/oauth-protected-resource/v1").json()
        assert document["scopes_supported"] == ["orders:read"]
        assert api.post("/.well-known/oauth-protected-resource/v1").status_code == 405


def test_a_guard_of_somebody_else_stands_beside_ours(issuer: Issuer, server: ResourceServer) -> None:
    guard = Guard(server)

    async def closed(connection: Any, handler: Any) -> None:
        raise HTTPException(status_code=418, detail="closed")

    @get("/", guards=[guard.requires(), closed])
    async def home() -> str:
        return "home"

    with client(home, guard=guard) as api:
        assert api.get("/").status_code == 401
        assert api.get("/", headers=bearer(issuer.token())).status_code == 418


def test_the_token_is_asked_for_before_the_body_is_read(issuer: Issuer, server: ResourceServer) -> None:
    guard = Guard(server)

    @post("/", guards=[guard.requires()])
    async def order(data: Annotated[dict[str, int], Body()]) -> dict[str, int]:
        return data

    with client(order, guard=guard) as api:
        assert api.post("/", content=b"{broken").status_code == 401
        assert api.post("/", content=b"{broken", headers=bearer(issuer.token())).status_code == 400


def test_an_exception_handler_of_the_application_may_say_it_in_other_words(server: ResourceServer) -> None:
    guard = Guard(server)

    def words(_: AnyRequest, refused: RefusedRequest) -> Response[str]:
        return Response(
            f"No ({refused.error.reason}).", status_code=refused.status_code, headers=refused.headers
        )

    @get("/", guards=[guard.requires()])
    async def home() -> str:
        return "home"

    with client(home, guard=guard, exception_handlers={RefusedRequest: words}) as api:
        answer = api.get("/")
        assert (answer.status_code, answer.text) == (401, "No (no_credentials).")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_without_the_plugin_litestar_words_the_refusal_and_keeps_status_and_challenge(
    issuer: Issuer, server: ResourceServer
) -> None:
    guard = Guard(server)

    @get("/", guards=[guard.requires()])
    async def home(request: AnyRequest) -> str:
        return str(request.auth.subject)

    @websocket("/ws", guards=[guard.requires()])
    async def opened(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.close()

    with client(home, opened) as api:
        answer = api.get("/", headers=bearer(issuer.expired()))
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert api.get("/", headers=bearer(issuer.token("ada"))).text == "ada"
        with pytest.raises(WebSocketDisconnect) as closed, api.websocket_connect("/ws"):
            pass
        assert closed.value.code == 1008


def test_a_token_that_is_not_there_is_a_lookup_error(issuer: Issuer, server: ResourceServer) -> None:
    guard = Guard(server)

    @get("/")
    async def home(request: AnyRequest) -> str:
        with pytest.raises(LookupError, match="is its handler guarded"):
            guard.token(request)
        return "none"

    @get("/known", guards=[guard.requires()])
    async def known(request: AnyRequest) -> str:
        return str(guard.token(request).subject)

    with client(home, known, guard=guard) as api:
        assert api.get("/").text == "none"
        assert api.get("/known", headers=bearer(issuer.token("ada"))).text == "ada"


# -- who is served ---------------------------------------------------------------------------------------


def subject() -> str | None:
    token = verified_token()
    return None if token is None else token.subject


def test_logs_know_the_caller_in_tasks_and_threads_and_streams_and_nobody_afterwards(
    issuer: Issuer, server: ResourceServer
) -> None:
    guard = Guard(server)
    seen: list[tuple[str, str | None]] = []

    def note(where: str) -> None:
        seen.append((where, subject()))

    @get("/task", guards=[guard.requires()])
    async def task() -> Response[str]:
        note("task")
        await asyncio.create_task(asyncio.to_thread(note, "thread"))
        return Response("", background=BackgroundTask(asyncio.to_thread, note, "background"))

    @get("/thread", guards=[guard.requires()], sync_to_thread=True)
    def thread() -> str:
        note("handler in a thread")
        return ""

    @get("/stream", guards=[guard.requires()])
    async def stream() -> Stream:
        async def chunks() -> AsyncIterator[str]:
            note("stream")
            yield "a"

        return Stream(chunks())

    @get("/public")
    async def public() -> str:
        note("public")
        return ""

    with client(task, thread, stream, public, guard=guard) as api:
        for subject_, path in [("ada", "/task"), ("ben", "/thread"), ("eve", "/stream")]:
            assert api.get(path, headers=bearer(issuer.token(subject_))).status_code == 200
            assert api.get("/public").status_code == 200
            assert api.get(path, headers=bearer(issuer.forged())).status_code == 401
            assert api.get("/public", headers=bearer(issuer.token("ada"))).status_code == 200
    assert [one for one in seen if one[0] != "public"] == [
        ("task", "ada"),
        ("thread", "ada"),
        ("background", "ada"),
        ("handler in a thread", "ben"),
        ("stream", "eve"),
    ]
    assert {who for where, who in seen if where == "public"} == {None}
    assert subject() is None


# -- the document ----------------------------------------------------------------------------------------


def document_of(*handlers: Any, guard: Guard, **options: Any) -> dict[str, Any]:
    config = OpenAPIConfig("Orders", "1")
    app = Litestar(handlers, plugins=[guard], logging_config=None, openapi_config=config, **options)
    schema: dict[str, Any] = app.openapi_schema.to_schema()
    validate(schema)
    return schema


def test_the_document_says_what_all_layers_of_a_handler_ask_for_together(server: ResourceServer) -> None:
    guard = Guard(server, resource=RESOURCE)

    @get("/orders", guards=[guard.requires(scope("orders:read") | scope("orders:write"))])
    async def orders() -> str:
        return ""

    @get("/health")
    async def health() -> str:
        return ""

    @get("/greeting", guards=[guard.optional()])
    async def greeting() -> str:
        return ""

    router = Router("/shop", route_handlers=[orders], guards=[guard.requires(scope("shop"))])
    document = document_of(router, health, greeting, guard=guard)
    paths = {path: item["get"].get("security") for path, item in document["paths"].items()}
    assert paths == {
        "/shop/orders": [{"oauth2": ["orders:read", "shop"]}, {"oauth2": ["orders:write", "shop"]}],
        "/health": None,
        "/greeting": [{}, {"oauth2": []}],
    }
    schemes = document["components"]["securitySchemes"]
    assert schemes["oauth2"]["scheme"] == "bearer"


def test_each_provider_has_a_scheme_and_the_document_of_others_is_not_changed(issuer: Issuer) -> None:
    other = Issuer("https://other.test")
    server = ResourceServer(
        issuer.provider(keys=issuer.jwks()),
        other.provider(keys=other.jwks(), source=Cookie("access_token")),
    )
    guard = Guard(server)

    @get("/", guards=[guard.requires()])
    async def home() -> str:
        return ""

    document = document_of(home, guard=guard)
    assert document["paths"]["/"]["get"]["security"] == [{"issuer.test": []}, {"other.test": []}]
    assert document["components"]["securitySchemes"]["other.test"]["in"] == "cookie"
    alone = Litestar([who], logging_config=None).openapi_schema.to_schema()
    assert "securitySchemes" not in alone.get("components", {})


def test_the_flows_of_an_issuer_whose_metadata_are_known_are_described(issuer: Issuer) -> None:
    server = issuer.resource_server()
    server.metadata(server.providers[0].name)
    guard = Guard(server)

    @get("/", guards=[guard.requires(scope("a"))])
    async def home() -> str:
        return ""

    scheme = document_of(home, guard=guard)["components"]["securitySchemes"]["oauth2"]
    assert scheme["flows"]["authorizationCode"]["tokenUrl"] == f"{issuer.url}/token"


def test_an_operation_names_its_roles_and_tells_how_it_may_be_refused(issuer: Issuer) -> None:
    fixed = issuer.resource_server(keys=issuer.jwks(), dpop=DPoP(), resource="https://api.test")
    guard = Guard(fixed)

    @get(
        "/",
        guards=[guard.requires(scope("a") & role("admin"))],
        raises=[NotAuthorizedException],
        description="Be at home.",
    )
    async def home() -> str:
        return ""

    document = document_of(home, guard=guard)
    operation = document["paths"]["/"]["get"]
    assert operation["description"] == "Be at home.\n\nNeeds the scope `a` and the role `admin`."
    answers = operation["responses"]
    assert answers.keys() == {"200", "401", "403", "429", "503"}
    assert "headers" not in answers["401"]  # what the handler says itself stays
    assert answers["403"]["headers"].keys() == {"WWW-Authenticate"}
    assert "schema" in answers["403"]["content"]["application/json"]
    assert operation["security"] == [{"oauth2": ["a"]}, {"DPoP": []}]
    assert document["components"]["securitySchemes"].keys() == {"oauth2", "DPoP"}


def test_an_application_without_a_document_is_installed_too(issuer: Issuer, server: ResourceServer) -> None:
    guard = Guard(server)

    @get("/", guards=[guard.requires()])
    async def home() -> str:
        return ""

    with client(home, guard=guard, openapi_config=None) as api:
        assert api.get("/", headers=bearer(issuer.token())).status_code == 200


def test_a_cached_response_is_for_those_whom_the_guards_let_in(
    issuer: Issuer, server: ResourceServer
) -> None:
    guard = Guard(server)
    numbers = itertools.count()

    @get("/orders", guards=[guard.requires(scope("orders:read"))], cache=60)
    async def orders() -> int:
        return next(numbers)

    @get("/mine", guards=[guard.requires()], cache=60, cache_key_builder=by_subject)
    async def mine(request: AnyRequest) -> str:
        return f"{request.auth.subject} {next(numbers)}"

    with client(orders, mine, guard=guard) as api:

        def ask(path: str, token: str | None) -> tuple[int, str]:
            answer = api.get(path, headers={} if token is None else bearer(token))
            return answer.status_code, answer.text

        reader, other = issuer.token("ada", "orders:read"), issuer.token("bob")
        first = ask("/orders", reader)
        assert ask("/orders", reader) == first == (200, "0")
        assert [ask("/orders", token)[0] for token in (other, issuer.expired(), None)] == [403, 401, 401]
        ada = ask("/mine", reader)
        assert ask("/mine", reader) == ada == (200, "ada 1")
        assert ask("/mine", other) == (200, "bob 2")


def by_subject(request: AnyRequest) -> str:
    return f"{request.scope['path']} {request.auth.subject}"


def test_a_browser_may_ask_before_any_guard_where_litestar_is_told_of_cors(server: ResourceServer) -> None:
    guard = Guard(server)

    @get("/orders")
    async def orders() -> str:
        return "yours"

    router = Router("/", route_handlers=[orders], guards=[guard.requires()])
    cors = CORSConfig(allow_origins=["https://page.example"])
    question = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET"}
    with client(router, guard=guard, cors_config=cors) as api:
        allowed = api.options("/orders", headers=question)
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == "https://page.example"
        assert api.get("/orders", headers={"Origin": "https://page.example"}).status_code == 401
