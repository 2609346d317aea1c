"""`OAuth2IdTokenBackend` and `on_error` behind Starlette's own `AuthenticationMiddleware`."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthenticationError, BaseUser, SimpleUser, requires
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from bearerguard import AccessToken, ConfigurationError, SecurityWarning
from bearerguard.starlette import OAuth2IdTokenBackend, on_error
from bearerguard.testing import Issuer
from tests.doors.bad_tokens import BAD
from tests.doors_under_test.layabauth_doors import trusting


def user_named_by_sub(token: str, token_body: dict[str, Any]) -> SimpleUser:
    return SimpleUser(token_body["sub"])


def scopes_in_scope(token: str, token_body: dict[str, Any]) -> str:
    scope: str = token_body.get("scope", "")
    return scope


def backend_for(issuer: Issuer, /, **options: Any) -> OAuth2IdTokenBackend:
    given = trusting(issuer, create_user=user_named_by_sub, scopes=scopes_in_scope) | options
    return OAuth2IdTokenBackend(issuer.jwks_uri, **given)


async def whoami(request: Request) -> JSONResponse:
    return JSONResponse({"user": request.user.display_name, "scopes": request.auth.scopes})


@requires("read")
async def read_async(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"read by {request.user.display_name}")


@requires("read")
def read_sync(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"read by {request.user.display_name}")


class Read(HTTPEndpoint):
    @requires("read")
    async def get(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"read by {request.user.display_name}")


@requires("read")
async def read_over_websocket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(f"read by {websocket.user.display_name}")
    await websocket.close()


def app_with(backend: OAuth2IdTokenBackend, answer: Any = on_error) -> Starlette:
    return Starlette(
        routes=[
            Route("/whoami", whoami),
            Route("/async", read_async),
            Route("/sync", read_sync),
            Route("/class", Read),
            WebSocketRoute("/websocket", read_over_websocket),
        ],
        middleware=[Middleware(AuthenticationMiddleware, backend=backend, on_error=answer)],
    )


@pytest.fixture(params=["asyncio", "trio"])
def client(issuer: Issuer, request: pytest.FixtureRequest) -> TestClient:
    return TestClient(app_with(backend_for(issuer)), backend=request.param)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# -- no token, a good token ------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}], ids=["none", "other scheme"])
def test_a_request_without_bearer_token_is_anonymous(client: TestClient, headers: dict[str, str]) -> None:
    response = client.get("/whoami", headers=headers)
    assert response.json() == {"user": "", "scopes": []}
    assert client.get("/async", headers=headers).status_code == 403


def test_a_good_token_gives_the_user_and_the_scopes_of_the_application(
    client: TestClient, issuer: Issuer
) -> None:
    response = client.get("/whoami", headers=bearer(issuer.token("ada", "read write")))
    assert response.json() == {"user": "ada", "scopes": ["read", "write"]}


def test_both_functions_get_the_text_of_the_token_and_all_its_claims_by_name(issuer: Issuer) -> None:
    seen = []

    def scopes(**given: Any) -> list[str]:
        seen.append(given)
        return []

    def create_user(**given: Any) -> BaseUser:
        seen.append(given)
        return SimpleUser("ada")

    client = TestClient(app_with(backend_for(issuer, create_user=create_user, scopes=scopes)))
    token = issuer.token("ada", roles=["admin"])
    client.get("/whoami", headers=bearer(token))
    assert [set(given) for given in seen] == [{"token", "token_body"}] * 2
    assert all(given["token"] == token and type(given["token_body"]) is dict for given in seen)
    assert seen[0]["token_body"]["roles"] == ["admin"]
    assert seen[0]["token_body"]["iss"] == issuer.url


def test_both_functions_may_be_async(issuer: Issuer) -> None:
    async def create_user(token: str, token_body: dict[str, Any]) -> SimpleUser:
        return user_named_by_sub(token, token_body)

    async def scopes(token: str, token_body: dict[str, Any]) -> list[str]:
        return scopes_in_scope(token, token_body).split()

    client = TestClient(app_with(backend_for(issuer, create_user=create_user, scopes=scopes)))
    response = client.get("/whoami", headers=bearer(issuer.token("ada", "read write")))
    assert response.json() == {"user": "ada", "scopes": ["read", "write"]}


@pytest.mark.parametrize(
    ("returned", "scopes"),
    [
        (["a b", "c"], ["a b", "c"]),
        (("a", "b"), ["a", "b"]),
        ("a  b ", ["a", "b"]),
        ("", []),
        ([], []),
        (None, []),
    ],
    ids=repr,
)
def test_scopes_are_several_strings_or_one_with_spaces(
    issuer: Issuer, returned: Any, scopes: list[str]
) -> None:
    client = TestClient(app_with(backend_for(issuer, scopes=lambda token, token_body: returned)))
    assert client.get("/whoami", headers=bearer(issuer.token())).json()["scopes"] == scopes


def test_what_one_request_does_to_its_claims_no_other_sees(issuer: Issuer) -> None:
    def scopes(token: str, token_body: dict[str, Any]) -> list[str]:
        token_body["roles"].append("admin")
        return list(token_body["roles"])

    client = TestClient(app_with(backend_for(issuer, scopes=scopes)))
    headers = bearer(issuer.token(roles=["clerk"]))
    answers = [client.get("/whoami", headers=headers).json()["scopes"] for _ in range(3)]
    assert answers == [["clerk", "admin"]] * 3


def test_the_verified_token_is_in_the_scope(issuer: Issuer) -> None:
    found = []

    async def endpoint(request: Request) -> Response:
        found.append(request.scope["bearerguard.token"])
        return Response()

    app = Starlette(
        routes=[Route("/", endpoint)],
        middleware=[Middleware(AuthenticationMiddleware, backend=backend_for(issuer))],
    )
    TestClient(app).get("/", headers=bearer(issuer.token("ada")))
    assert isinstance(found[0], AccessToken)
    assert found[0].subject == "ada"


# -- `requires` ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/async", "/sync", "/class"])
def test_requires_lets_in_who_has_the_scope_and_nobody_else(
    client: TestClient, issuer: Issuer, path: str
) -> None:
    allowed = client.get(path, headers=bearer(issuer.token("ada", "read")))
    assert (allowed.status_code, allowed.text) == (200, "read by ada")
    assert client.get(path, headers=bearer(issuer.token("ada", "write"))).status_code == 403
    assert client.get(path).status_code == 403


def test_requires_works_on_websockets(client: TestClient, issuer: Issuer) -> None:
    with client.websocket_connect("/websocket", headers=bearer(issuer.token("ada", "read"))) as websocket:
        assert websocket.receive_text() == "read by ada"


@pytest.mark.parametrize("credentials", ["none", "no scope", "bad"])
def test_a_websocket_that_is_not_allowed_is_closed_before_it_is_accepted(
    client: TestClient, issuer: Issuer, credentials: str
) -> None:
    headers = {"none": {}, "no scope": bearer(issuer.token()), "bad": bearer(issuer.forged(scope="read"))}
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/websocket", headers=headers[credentials]),
    ):
        pytest.fail("it was accepted")


# -- bad tokens ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BAD)
def test_on_error_answers_a_bad_token_with_401_and_the_challenge(
    client: TestClient, issuer: Issuer, kind: str
) -> None:
    mint, description = BAD[kind]
    response = client.get("/whoami", headers=bearer(mint(issuer)))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == (
        f'Bearer error="invalid_token", error_description="{description}"'
    )
    assert response.json() == {"message": description, "error": "invalid_token"}
    assert "bearerguard" not in response.text


@pytest.mark.parametrize("kind", BAD)
def test_without_on_error_starlette_answers_a_bad_token_with_a_bare_400(issuer: Issuer, kind: str) -> None:
    client = TestClient(app_with(backend_for(issuer), answer=None))
    mint, description = BAD[kind]
    response = client.get("/whoami", headers=bearer(mint(issuer)))
    assert (response.status_code, response.text) == (400, description)
    assert "WWW-Authenticate" not in response.headers


@pytest.mark.parametrize(
    "value",
    ["Bearer", "Bearer ", "Bearer two tokens", "Bearer one,two"],
    ids=["bare", "empty", "two", "comma"],
)
def test_credentials_that_are_not_put_as_they_should_be_are_a_401_that_says_so(
    client: TestClient, value: str
) -> None:
    response = client.get("/whoami", headers={"Authorization": value})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_request"')


def test_two_authorization_headers_are_refused(client: TestClient, issuer: Issuer) -> None:
    headers = [("Authorization", f"Bearer {issuer.token()}"), ("Authorization", "Bearer x")]
    response = client.get("/whoami", headers=headers)
    assert response.status_code == 401


def test_the_scheme_may_be_written_in_any_case(client: TestClient, issuer: Issuer) -> None:
    response = client.get("/whoami", headers={"Authorization": f"bEARER {issuer.token('ada')}"})
    assert response.json()["user"] == "ada"


def test_keys_that_cannot_be_had_are_a_503_that_says_when_to_try_again(
    client: TestClient, issuer: Issuer
) -> None:
    with issuer.outage():
        response = client.get("/whoami", headers=bearer(issuer.token()))
    assert response.status_code == 503
    assert 1 <= int(response.headers["Retry-After"]) <= 30
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_the_authentication_error_is_caused_by_the_refusal(issuer: Issuer) -> None:
    causes = []

    def remember(conn: HTTPConnection, error: AuthenticationError) -> Response:
        causes.append(error.__cause__)
        return on_error(conn, error)

    client = TestClient(app_with(backend_for(issuer), answer=remember))
    client.get("/whoami", headers=bearer(issuer.expired()))
    assert [getattr(cause, "reason", None) for cause in causes] == ["expired"]


def test_on_error_answers_the_authentication_error_of_another_backend_without_quoting_it() -> None:
    connection = HTTPConnection({"type": "http", "headers": []})
    response = on_error(connection, AuthenticationError("password hunter2 is wrong"))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert b"hunter2" not in bytes(response.body)


# -- functions that raise --------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["create_user", "scopes"])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_function_that_raises_is_an_error_of_the_application_and_no_bad_token(
    issuer: Issuer, which: str, is_async: bool
) -> None:
    def function(token: str, token_body: dict[str, Any]) -> Any:
        return token_body["no such claim"]

    async def async_function(token: str, token_body: dict[str, Any]) -> Any:
        return token_body["no such claim"]

    backend = backend_for(issuer, **{which: async_function if is_async else function})
    client = TestClient(app_with(backend), raise_server_exceptions=False)
    assert client.get("/whoami", headers=bearer(issuer.token())).status_code == 500
    with pytest.raises(KeyError, match="no such claim"):
        TestClient(app_with(backend)).get("/whoami", headers=bearer(issuer.token()))


def test_neither_function_is_called_for_a_bad_token(issuer: Issuer) -> None:
    def function(token: str, token_body: dict[str, Any]) -> Any:
        pytest.fail("it was called")

    client = TestClient(app_with(backend_for(issuer, create_user=function, scopes=function)))
    for mint, _ in BAD.values():
        assert client.get("/whoami", headers=bearer(mint(issuer))).status_code == 401
    assert client.get("/whoami").status_code == 200


# -- what is checked -------------------------------------------------------------------------------------

UNCHECKED = {
    "issuer": ({"issuer": None}, ["issuer="]),
    "audience": ({"audience": None}, ["audience="]),
    "both": ({"issuer": None, "audience": None}, ["issuer=", "audience="]),
}


@contextmanager
def caught() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield found


@pytest.mark.parametrize("which", UNCHECKED)
def test_each_backend_that_does_not_check_something_warns_of_it_where_it_is_built(
    issuer: Issuer, which: str
) -> None:
    options, advice = UNCHECKED[which]
    given: dict[str, Any] = {"issuer": issuer.url, "audience": issuer.audience, **options}
    for _ in range(2):
        with caught() as found:
            OAuth2IdTokenBackend(issuer.jwks_uri, user_named_by_sub, scopes_in_scope, **given)
        assert [warning.category for warning in found] == [SecurityWarning] * len(advice)
        assert all(text in str(warning.message) for text, warning in zip(advice, found, strict=True))
        assert {warning.filename for warning in found} == {__file__}


def test_a_backend_that_checks_both_warns_of_nothing(issuer: Issuer) -> None:
    with caught() as found:
        backend_for(issuer)
    assert found == []


def test_without_issuer_and_audience_any_token_of_these_keys_is_accepted_and_no_other(issuer: Issuer) -> None:
    with pytest.warns(SecurityWarning):
        backend = backend_for(issuer, issuer=None, audience=None)
    client = TestClient(app_with(backend))
    for token in (
        issuer.token(),
        issuer.for_another_audience(),
        issuer.from_another_issuer(),
        issuer.token(iss=None, aud=None),
    ):
        assert client.get("/whoami", headers=bearer(token)).status_code == 200
    for token in (issuer.forged(), issuer.expired(), issuer.unsigned(), issuer.token(exp=None)):
        assert client.get("/whoami", headers=bearer(token)).status_code == 401


def test_one_of_several_audiences_is_enough(issuer: Issuer) -> None:
    client = TestClient(app_with(backend_for(issuer, audience=["https://old.test", "https://new.test"])))
    for audience, status in (("https://new.test", 200), (["x", "https://old.test"], 200), ("x", 401)):
        assert client.get("/whoami", headers=bearer(issuer.token(aud=audience))).status_code == status


def test_the_algorithms_can_be_narrowed(issuer: Issuer) -> None:
    client = TestClient(app_with(backend_for(issuer, algorithms=["ES256"])))
    assert client.get("/whoami", headers=bearer(issuer.token(alg="ES256"))).status_code == 200
    assert client.get("/whoami", headers=bearer(issuer.token(alg="RS256"))).status_code == 401


@pytest.mark.parametrize(("leeway", "status"), [(0, 401), (60, 200)])
def test_the_leeway_forgives_a_difference_of_clocks(issuer: Issuer, leeway: float, status: int) -> None:
    client = TestClient(app_with(backend_for(issuer, leeway=leeway)))
    token = issuer.token(expires_in=-30)
    assert client.get("/whoami", headers=bearer(token)).status_code == status


def test_a_token_that_was_accepted_is_refused_once_the_clock_is_past_its_end(
    client: TestClient, issuer: Issuer
) -> None:
    token = issuer.token(expires_in=60)
    assert client.get("/whoami", headers=bearer(token)).status_code == 200
    issuer.clock.advance(71)
    assert client.get("/whoami", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize(
    ("jwks_uri", "options", "why"),
    [
        ("http://issuer.test/jwks", {}, "not https"),
        ("ftp://issuer.test/jwks", {}, "neither https nor http"),
        ("https://issuer.test/jwks", {"proxies": {}}, "http_options"),
        ("https://issuer.test/jwks", {"follow_redirects": True}, "redirect"),
        ("https://issuer.test/jwks", {"algorithms": ["HS256"]}, "symmetric"),
        ("https://issuer.test/jwks", {"algorithms": ["none"]}, "algorithms"),
        ("https://issuer.test/jwks", {"leeway": 301}, "leeway"),
        ("https://issuer.test/jwks", {"issuer": ""}, "issuer"),
        ("https://issuer.test/jwks", {"audience": []}, "audience"),
    ],
)
def test_what_cannot_be_safe_is_refused_when_the_backend_is_built(
    jwks_uri: str, options: dict[str, Any], why: str
) -> None:
    given = {"issuer": "https://issuer.test", "audience": "https://api.test", **options}
    with pytest.raises(ConfigurationError, match=why):
        OAuth2IdTokenBackend(jwks_uri, user_named_by_sub, scopes_in_scope, **given)


# -- keys ------------------------------------------------------------------------------------------------


def test_keys_are_fetched_once_and_not_for_each_request(client: TestClient, issuer: Issuer) -> None:
    for number in range(50):
        assert client.get("/whoami", headers=bearer(issuer.token(f"user-{number}"))).status_code == 200
    assert issuer.count("/jwks") == 1


def test_a_new_key_of_the_provider_is_accepted_at_the_first_request(
    client: TestClient, issuer: Issuer
) -> None:
    client.get("/whoami", headers=bearer(issuer.token()))
    issuer.rotate()
    assert client.get("/whoami", headers=bearer(issuer.token("ada"))).json()["user"] == "ada"


def test_keys_are_never_fetched_on_the_event_loop(issuer: Issuer) -> None:
    threads: dict[str, threading.Thread] = {}

    def fetch(request: httpx2.Request) -> httpx2.Response:
        threads["fetch"] = threading.current_thread()
        return httpx2.Response(200, json=issuer.jwks())

    async def endpoint(request: Request) -> Response:
        threads["event loop"] = threading.current_thread()
        return Response()

    backend = backend_for(issuer, transport=httpx2.MockTransport(fetch))
    app = Starlette(
        routes=[Route("/", endpoint)], middleware=[Middleware(AuthenticationMiddleware, backend=backend)]
    )
    assert TestClient(app).get("/", headers=bearer(issuer.token())).status_code == 200
    assert threads["fetch"] is not threads["event loop"]


def test_http_options_reach_the_client_that_fetches_keys(issuer: Issuer) -> None:
    client = TestClient(app_with(backend_for(issuer, headers={"X-Tenant": "blue"}, timeout=1)))
    assert client.get("/whoami", headers=bearer(issuer.token())).status_code == 200
    assert [request.headers["x-tenant"] for request in issuer.requests] == ["blue"]


def test_nothing_is_fetched_for_what_is_not_a_token(client: TestClient, issuer: Issuer) -> None:
    assert client.get("/whoami", headers=bearer("mocked_token")).status_code == 401
    assert issuer.requests == ()
