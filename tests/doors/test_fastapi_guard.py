"""The guard for FastAPI: dependencies of every kind, refusals, WebSockets, and what the application adds.

What it documents is in test_fastapi_document.py, and what every door does alike in tests/conformance.
"""
# ruff: noqa: I002 - FastAPI resolves annotations that are text among a module's names, where no guard is here

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.exceptions import WebSocketException
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from bearerguard import AccessToken, AuthError, ConfigurationError, ResourceServer, fresh, role, scope
from bearerguard.answer import problem_details
from bearerguard.fastapi import Guard, RefusedRequest
from bearerguard.testing import Issuer

RESOURCE = "https://api.example/v1"


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
def app(guard: Guard) -> FastAPI:
    return guard.install(FastAPI())


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app)


@pytest.fixture
def bearer(issuer: Issuer) -> Callable[..., dict[str, str]]:
    """The header field with a token of these scopes and claims."""

    def bearer(*scopes: str, **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {issuer.token('ada', scopes, **claims)}"}

    return bearer


Bearer = Callable[..., dict[str, str]]


# -- dependencies ----------------------------------------------------------------------------------------


def test_the_value_of_the_dependency_is_the_verified_token(
    app: FastAPI, guard: Guard, client: TestClient, bearer: Bearer
) -> None:
    @app.get("/annotated")
    async def annotated(token: Annotated[AccessToken, guard.requires(scope("a"))]) -> str | None:
        return token.subject

    @app.get("/default")
    def default(token: AccessToken = guard.requires(scope("a"))) -> str | None:  # noqa: B008 - FastAPI's way
        return token.subject

    for path in ("/annotated", "/default"):
        assert client.get(path, headers=bearer("a")).json() == "ada"
        assert client.get(path, headers=bearer("b")).status_code == 403
        assert client.get(path).status_code == 401


def test_a_name_for_a_dependency_serves_many_routes(
    app: FastAPI, guard: Guard, client: TestClient, bearer: Bearer
) -> None:
    reader = Annotated[AccessToken, guard.requires(scope("a"))]

    @app.get("/one")
    async def one(token: reader) -> str:
        return "one"

    @app.get("/two")
    async def two(token: reader) -> str:
        return "two"

    assert [client.get(path, headers=bearer("a")).json() for path in ("/one", "/two")] == ["one", "two"]
    assert [client.get(path).status_code for path in ("/one", "/two")] == [401, 401]


def test_a_route_a_router_its_inclusion_and_the_application_each_ask_for_their_own(
    guard: Guard, bearer: Bearer
) -> None:
    app = guard.install(FastAPI(dependencies=[guard.requires(scope("of-app"))]))
    inner = APIRouter(dependencies=[guard.requires(scope("of-inner"))])
    outer = APIRouter(dependencies=[guard.requires(scope("of-outer"))])

    @inner.get("/", dependencies=[guard.requires(scope("of-route"))])
    async def view() -> str:
        return "let in"

    outer.include_router(inner, prefix="/inner")
    app.include_router(outer, prefix="/outer", dependencies=[guard.requires(scope("of-inclusion"))])
    client = TestClient(app)
    needed = ["of-app", "of-inclusion", "of-inner", "of-outer", "of-route"]
    assert client.get("/outer/inner/", headers=bearer(*needed)).json() == "let in"
    for missing in needed:
        refused = client.get("/outer/inner/", headers=bearer(*{*needed} - {missing}))
        assert refused.status_code == 403
        # One challenge for all of them, or a client would come back once for each.
        assert f'scope="{" ".join(needed)}"' in refused.headers["www-authenticate"]


def test_a_dependency_of_a_dependency_is_part_of_the_challenge(
    app: FastAPI, guard: Guard, client: TestClient, bearer: Bearer
) -> None:
    async def user(token: Annotated[AccessToken, guard.requires(scope("inner"))]) -> str | None:
        return token.subject

    @app.get("/", dependencies=[guard.requires(scope("outer"))])
    async def view(user: Annotated[str, Depends(user)]) -> str:
        return user

    assert client.get("/", headers=bearer("inner", "outer")).json() == "ada"
    for one in ("inner", "outer"):
        refused = client.get("/", headers=bearer(one))
        assert 'scope="inner outer"' in refused.headers["www-authenticate"]


def test_a_challenge_promises_nothing_where_another_dependency_could_not_be_helped(
    guard: Guard, bearer: Bearer
) -> None:
    app = guard.install(FastAPI(dependencies=[guard.requires(scope("a"))]))
    app.get("/", dependencies=[guard.requires(role("admin"))])(lambda: "let in")
    client = TestClient(app)
    assert client.get("/", headers=bearer("a", roles=["admin"])).json() == "let in"
    hopeless = client.get("/", headers=bearer())
    assert (hopeless.status_code, hopeless.headers["www-authenticate"]) == (403, "Bearer")
    helpless = client.get("/", headers=bearer(roles=["admin"]))
    assert 'scope="a"' in helpless.headers["www-authenticate"]


def test_a_login_is_asked_for_once_the_scopes_are_there(
    app: FastAPI, guard: Guard, client: TestClient, bearer: Bearer, issuer: Issuer
) -> None:
    rules = [guard.requires(fresh(max_age=300)), guard.requires(scope("a"))]
    app.get("/", dependencies=rules)(lambda: "let in")
    assert client.get("/", headers=bearer()).status_code == 403
    old = client.get("/", headers=bearer("a", auth_time=int(issuer.clock()) - 3_600))
    assert (old.status_code, old.headers["www-authenticate"].count('max_age="300"')) == (401, 1)
    assert client.get("/", headers=bearer("a", auth_time=int(issuer.clock()))).json() == "let in"


def test_two_guards_on_one_route_each_ask_their_own_provider(guard: Guard, bearer: Bearer) -> None:
    other = Issuer("https://other.test", algorithm="ES256")
    second = Guard(other.resource_server(keys=other.jwks()))
    app = second.install(guard.install(FastAPI()))
    app.get("/first", dependencies=[guard.requires(scope("a"))])(lambda: "first")
    app.get("/second", dependencies=[second.requires(scope("b"))])(lambda: "second")
    app.get("/both", dependencies=[guard.requires(scope("a")), second.requires(scope("b"))])(lambda: "both")
    client = TestClient(app)
    others = {"Authorization": f"Bearer {other.token(scope='b')}"}
    assert client.get("/first", headers=bearer("a")).json() == "first"
    assert client.get("/second", headers=others).json() == "second"
    assert client.get("/first", headers=others).status_code == 401
    assert client.get("/second", headers=bearer("b")).status_code == 401
    # One guard's demand is not part of the other's challenge.
    assert 'scope="a"' in client.get("/both", headers=bearer()).headers["www-authenticate"]


def test_a_route_may_do_without_a_token_but_not_with_a_bad_one(
    app: FastAPI, guard: Guard, client: TestClient, bearer: Bearer, issuer: Issuer
) -> None:
    @app.get("/")
    async def view(token: Annotated[AccessToken | None, guard.optional()]) -> str | None:
        return None if token is None else token.subject

    assert client.get("/").json() is None
    assert client.get("/", headers=bearer()).json() == "ada"
    assert client.get("/", headers={"Authorization": f"Bearer {issuer.expired()}"}).status_code == 401


def test_an_endpoint_finds_the_token_of_a_dependency_that_has_no_name_in_it(
    app: FastAPI, guard: Guard, client: TestClient, bearer: Bearer
) -> None:
    @app.get("/", dependencies=[guard.requires()])
    def view(request: Request) -> str | None:
        return guard.token(request).subject

    assert client.get("/", headers=bearer()).json() == "ada"


def test_a_token_that_is_refused_is_nobodys(app: FastAPI, guard: Guard, bearer: Bearer) -> None:
    seen: list[Any] = []

    @app.exception_handler(RefusedRequest)
    async def refused(request: Request, error: RefusedRequest) -> PlainTextResponse:
        seen.append(guard.token_or_none(request))
        return PlainTextResponse("no", error.status_code)

    app.get("/", dependencies=[guard.requires(scope("a"))])(lambda: "let in")
    assert TestClient(app).get("/", headers=bearer()).status_code == 403
    assert seen == [None]


def test_what_is_not_a_rule_is_told_where_it_is_written(guard: Guard) -> None:
    with pytest.raises(ConfigurationError, match="is not a rule"):
        guard.requires("orders:read")  # type: ignore[arg-type]


def test_an_annotation_that_fastapi_cannot_resolve_lets_nobody_in(
    app: FastAPI, guard: Guard, bearer: Bearer
) -> None:
    """What `from __future__ import annotations` makes of a guard that is a local variable."""
    local = guard

    async def view(token: "Annotated[AccessToken, local.requires(scope('a'))]") -> str:
        raise AssertionError("it was entered")

    app.get("/")(view)
    client = TestClient(app, raise_server_exceptions=False)
    for query in ("", "?token=made-up"):
        assert client.get(f"/{query}", headers=bearer("a")).status_code in {422, 500}


# -- refusals --------------------------------------------------------------------------------------------


def refused(server: ResourceServer, headers: dict[str, str], *, install: bool = True, **options: Any) -> Any:
    guard, app = Guard(server, **options), FastAPI()
    if install:
        guard.install(app)
    app.get("/", dependencies=[guard.requires(scope("a"))])(lambda: "let in")
    return TestClient(app).get("/", headers=headers)


def test_a_refusal_is_json_by_default(server: ResourceServer, bearer: Bearer) -> None:
    answer = refused(server, bearer("b"))
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "message": "The token does not have the scope that is needed.",
        "error": "insufficient_scope",
    }


def test_a_refusal_is_problem_details_by_choice(server: ResourceServer, bearer: Bearer) -> None:
    answer = refused(server, bearer("b"), body=problem_details)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["status"], answer.json()["title"]) == (403, "Forbidden")


def test_a_refusal_is_what_a_function_makes_of_it(server: ResourceServer) -> None:
    def body(error: AuthError) -> tuple[str, bytes]:
        return "text/plain", f"no: {error.reason}".encode()

    answer = refused(server, {}, body=body)
    assert (answer.text, answer.headers["content-type"]) == ("no: no_credentials", "text/plain")


def test_the_challenge_names_the_realm_and_the_metadata(server: ResourceServer) -> None:
    answer = refused(server, {"Host": "elsewhere.example"}, realm="orders", resource=RESOURCE)
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="orders", scope="a", '
        'resource_metadata="https://api.example/.well-known/oauth-protected-resource/v1"'
    )


def test_without_install_fastapi_words_the_refusal_and_the_header_fields_stay(
    server: ResourceServer, bearer: Bearer
) -> None:
    answer = refused(server, bearer("b"), install=False)
    assert (answer.status_code, answer.json()) == (
        403,
        {"detail": "The token does not have the scope that is needed."},
    )
    assert 'scope="a"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("install", [True, False])
def test_while_the_provider_is_down_a_client_is_told_when_to_come_back(install: bool) -> None:
    issuer = Issuer(algorithm="ES256")
    headers = {"Authorization": f"Bearer {issuer.token(scope='a')}"}
    with issuer.outage():
        answer = refused(issuer.resource_server(), headers, install=install)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "what",
    [StarletteHTTPException, HTTPException, RefusedRequest, 401],
    ids=["starlette's error", "fastapi's error", "the guard's error", "status"],
)
def test_an_application_may_answer_refusals_itself(guard: Guard, what: Any) -> None:
    app = FastAPI()
    if what in (RefusedRequest, 401):
        guard.install(app)  # or its own answer would be the more specific one

    @app.exception_handler(what)
    async def refused(request: Request, error: Any) -> JSONResponse:
        assert isinstance(error, RefusedRequest)
        assert error.error.reason == "no_credentials"
        return JSONResponse({"sorry": error.detail}, error.status_code, error.headers)

    app.get("/", dependencies=[guard.requires()])(lambda: "let in")
    answer = TestClient(app).get("/")
    assert (answer.status_code, answer.json()) == (401, {"sorry": "The Authorization header is missing."})
    assert answer.headers["www-authenticate"] == "Bearer"


def test_errors_of_the_application_are_its_own(
    app: FastAPI, guard: Guard, client: TestClient, bearer: Bearer
) -> None:
    @app.get("/", dependencies=[guard.requires()])
    def view() -> None:
        raise HTTPException(404, "There is no such order.")

    answer = client.get("/", headers=bearer())
    assert (answer.status_code, answer.json()) == (404, {"detail": "There is no such order."})


def test_a_mounted_application_answers_as_what_is_installed_in_it(guard: Guard, bearer: Bearer) -> None:
    app, plain, guarded = guard.install(FastAPI()), FastAPI(), guard.install(FastAPI())
    for mounted in (plain, guarded):
        mounted.get("/", dependencies=[guard.requires(scope("a"))])(lambda: "let in")
    app.mount("/plain", plain)
    app.mount("/guarded", guarded)
    client = TestClient(app)
    for path, member in (("/plain/", "detail"), ("/guarded/", "message")):
        assert client.get(path, headers=bearer("a")).json() == "let in"
        answer = client.get(path, headers=bearer())
        assert answer.json()[member] == "The token does not have the scope that is needed."
        assert 'scope="a"' in answer.headers["www-authenticate"]


def test_a_whole_application_stands_behind_a_rule(guard: Guard, bearer: Bearer) -> None:
    app = FastAPI()
    app.add_middleware(guard.protect, rule=scope("a"), public_paths={"/health"})
    app.get("/health")(lambda: "ok")
    app.get("/")(lambda: "let in")
    client = TestClient(app)
    assert client.get("/health").json() == "ok"
    assert client.get("/", headers=bearer("a")).json() == "let in"
    assert client.get("/", headers=bearer("b")).status_code == 403
    assert client.get("/nowhere").status_code == 401


# -- WebSockets ------------------------------------------------------------------------------------------


@pytest.fixture
def entered(app: FastAPI, guard: Guard) -> list[str | None]:
    """Who was let in to `/ws`, which asks for the scope `a` and says who it is talking to."""
    entered: list[str | None] = []
    serve_websocket(app, guard, entered)
    return entered


def serve_websocket(app: FastAPI, guard: Guard, entered: list[str | None]) -> None:
    @app.websocket("/ws")
    async def ws(websocket: WebSocket, token: Annotated[AccessToken, guard.requires(scope("a"))]) -> None:
        entered.append(token.subject)
        await websocket.accept()
        await websocket.send_json(token.subject)
        await websocket.close()


def test_a_websocket_opens_for_a_token_in_its_header(
    client: TestClient, bearer: Bearer, entered: list[str | None]
) -> None:
    with client.websocket_connect("/ws", headers=bearer("a")) as websocket:
        assert websocket.receive_json() == "ada"
    assert entered == ["ada"]


@pytest.mark.parametrize("install", [True, False])
def test_a_websocket_is_refused_like_any_request_where_the_server_can(
    guard: Guard, bearer: Bearer, issuer: Issuer, install: bool
) -> None:
    app, entered = FastAPI(), list[str | None]()
    if install:
        guard.install(app)
    serve_websocket(app, guard, entered)
    expired = {"Authorization": f"Bearer {issuer.expired(scope='a')}"}
    for headers, status, challenge in (
        ({}, 401, "Bearer"),
        (expired, 401, 'error="invalid_token"'),
        (bearer("b"), 403, 'scope="a"'),
    ):
        with (
            pytest.raises(WebSocketDenialResponse) as denial,
            TestClient(app).websocket_connect("/ws", headers=headers),
        ):
            pass
        assert denial.value.status_code == status
        assert challenge in denial.value.headers["www-authenticate"]
        assert ("message" if install else "detail") in denial.value.json()
    assert entered == []


@pytest.mark.parametrize("install", [True, False])
def test_a_websocket_is_closed_before_it_is_accepted_where_the_server_cannot(
    guard: Guard, bearer: Bearer, install: bool
) -> None:
    app, entered = FastAPI(), list[str | None]()
    if install:
        guard.install(app)
    serve_websocket(app, guard, entered)

    async def without_extensions(scope: Any, receive: Any, send: Any) -> None:
        await app({name: value for name, value in scope.items() if name != "extensions"}, receive, send)

    client = TestClient(without_extensions)
    with (
        pytest.raises(WebSocketDisconnect) as refusal,
        client.websocket_connect("/ws", headers=bearer("b")),
    ):
        pass
    assert not isinstance(refusal.value, WebSocketDenialResponse)
    assert (refusal.value.code, refusal.value.reason) == (
        1008,
        "The token does not have the scope that is needed.",
    )
    assert entered == []


def test_a_websocket_of_a_router_is_refused_for_all_that_is_missing(guard: Guard, bearer: Bearer) -> None:
    app = guard.install(FastAPI())
    router = APIRouter(dependencies=[guard.requires(scope("b"))])

    @router.websocket("/ws", dependencies=[guard.requires(scope("a"))])
    async def ws(websocket: WebSocket) -> None:
        raise AssertionError("it was entered")

    app.include_router(router, dependencies=[guard.requires(scope("c"))])
    with (
        pytest.raises(WebSocketDenialResponse) as denial,
        TestClient(app).websocket_connect("/ws", headers=bearer("c")),
    ):
        pass
    assert 'scope="a b c"' in denial.value.headers["www-authenticate"]


def test_a_websocket_may_do_without_a_token(app: FastAPI, guard: Guard, client: TestClient) -> None:
    @app.websocket("/ws")
    async def ws(websocket: WebSocket, token: Annotated[AccessToken | None, guard.optional()]) -> None:
        await websocket.accept()
        await websocket.send_json(token and token.subject)
        await websocket.close()

    with client.websocket_connect("/ws") as websocket:
        assert websocket.receive_json() is None


def test_errors_of_a_websocket_are_the_applications_own(
    app: FastAPI, guard: Guard, client: TestClient, bearer: Bearer
) -> None:
    @app.websocket("/ws", dependencies=[guard.requires()])
    async def ws(websocket: WebSocket) -> None:
        raise WebSocketException(4000, "not now")

    with (
        pytest.raises(WebSocketDisconnect) as closed,
        client.websocket_connect("/ws", headers=bearer()),
    ):
        pass
    assert (closed.value.code, closed.value.reason) == (4000, "not now")


# -- the metadata of the resource (RFC 9728) -------------------------------------------------------------


@pytest.fixture
def published(server: ResourceServer) -> TestClient:
    guard = Guard(server, resource=RESOURCE)
    app = FastAPI()

    @app.get("/{anything:path}", dependencies=[guard.requires(scope("b", "a"))])
    def everything(anything: str) -> str:
        return anything

    return TestClient(guard.install(app), root_path="/v1")


@pytest.mark.parametrize("path", ["/v1", ""])
@pytest.mark.parametrize("host", ["api.example", "elsewhere.example"])
def test_metadata_stand_where_a_client_looks_whatever_host_it_asks(
    published: TestClient, issuer: Issuer, path: str, host: str
) -> None:
    answer = published.get(f"/.well-known/oauth-protected-resource{path}", headers={"Host": host})
    assert answer.json() == {
        "resource": RESOURCE,
        "authorization_servers": [issuer.url],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["a", "b"],
    }
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_metadata_are_read_by_scripts_that_ask_first(published: TestClient) -> None:
    asked = {"Origin": "https://client.example", "Access-Control-Request-Headers": "mcp-protocol-version"}
    answer = published.options("/.well-known/oauth-protected-resource/v1", headers=asked)
    assert (answer.status_code, answer.headers["access-control-allow-headers"]) == (204, "*")


def test_metadata_are_not_an_operation_of_the_api(published: TestClient) -> None:
    assert not [path for path in published.get("/openapi.json").json()["paths"] if "well-known" in path]


def test_without_a_resource_there_are_no_metadata(client: TestClient) -> None:
    assert client.get("/.well-known/oauth-protected-resource").status_code == 404
