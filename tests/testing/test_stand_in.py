"""`auth_mock`: a made-up bearer string is exchanged for a real token, in one test and for one key URL."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Literal

import flask
import httpx2
import pytest
from flask.testing import FlaskClient
from starlette.applications import Starlette
from starlette.authentication import SimpleUser, requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from bearerguard import (
    RFC9068,
    AuthError,
    Introspection,
    InvalidToken,
    Profile,
    Provider,
    ProviderUnavailable,
    RemoteKeys,
    ResourceServer,
    SecurityWarning,
)
from bearerguard.flask import requires_authentication, requires_scopes
from bearerguard.starlette import AuthenticateMiddleware, OAuth2IdTokenBackend, on_error
from bearerguard.testing import Issuer, stand_in

JWKS_URI = "https://issuer.test/the/keys"
BODY = {"name": "ada", "scopes": ["my_scope"]}

StandingIn = Callable[[str, dict[str, Any]], AbstractContextManager[None]]


@pytest.fixture
def standing_in(request: pytest.FixtureRequest) -> StandingIn:
    return functools.partial(stand_in.standing_in, request)


class NoNetwork(httpx2.BaseTransport):
    """Fails the test that asks for keys."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        raise AssertionError(f"{request.url} was asked for")


class Unreachable(httpx2.BaseTransport):
    """There is no network."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("there is no network", request=request)


def resource_server(**settings: Any) -> ResourceServer:
    defaults: dict[str, Any] = {
        "issuer": "https://issuer.test",
        "audience": "https://api.test",
        "keys": RemoteKeys(JWKS_URI, http_options={"transport": NoNetwork()}),
    }
    with warnings.catch_warnings():  # here, but not while it verifies
        warnings.simplefilter("ignore", SecurityWarning)
        return ResourceServer(Provider(**(defaults | settings)))


def claims_of(server: ResourceServer, bearer: str = "mocked_token") -> dict[str, Any]:
    return dict(server.verify(bearer).claims)


def test_any_bearer_string_stands_for_the_claims_of_the_test_and_for_itself(standing_in: StandingIn) -> None:
    server = resource_server()
    with standing_in(JWKS_URI, BODY):
        token = server.verify("mocked_token")
        assert dict(token.claims) == BODY
        assert token.raw == "mocked_token"
        assert token.provider is server.providers[0]
        assert claims_of(server, Issuer().forged()) == BODY
        assert dict(asyncio.run(server.averify("mocked_token")).claims) == BODY


@pytest.mark.parametrize("text", ["my token", " lead", "a b ", "Bearer plain"])
def test_any_text_that_a_program_hands_over_stands_for_itself(standing_in: StandingIn, text: str) -> None:
    server = resource_server()
    with standing_in(JWKS_URI, BODY):
        token = server.verify(text)
        assert token.raw == text
        assert token != server.verify(f"x {text}")


def test_everything_is_as_it_was_afterwards_even_after_a_failure(standing_in: StandingIn) -> None:
    server = resource_server()
    verify, averify = ResourceServer.verify, ResourceServer.averify
    with pytest.raises(ZeroDivisionError), standing_in(JWKS_URI, BODY):
        raise ZeroDivisionError
    assert ResourceServer.verify is verify
    assert ResourceServer.averify is averify
    with pytest.raises(InvalidToken) as refused:
        server.verify("mocked_token")
    assert refused.value.reason == "malformed"


def test_each_request_has_claims_of_its_own_and_sees_the_tests_latest(standing_in: StandingIn) -> None:
    server, body = resource_server(), {"scopes": ["a"]}
    with standing_in(JWKS_URI, body):
        claims_of(server)["scopes"].append("b")
        assert claims_of(server) == {"scopes": ["a"]}
        body["scopes"] = ["c"]
        assert claims_of(server) == {"scopes": ["c"]}


@pytest.mark.parametrize(
    "settings",
    [
        {"profile": RFC9068},
        {"profile": Profile("untyped", frozenset({None, "jwt"}), ("sub",))},
        {"profile": Profile("logged in", frozenset({None, "jwt"}), ("auth_time",))},
        {"audience_claim": "client_id"},
        {"algorithms": ["ES256"]},
        {"issuer": None, "dangerously_accept_any_issuer": True},
        {"audience": None, "dangerously_accept_any_audience": True},
        {"keys": RemoteKeys(JWKS_URI, pinned_thumbprints=["A" * 43])},
    ],
)
def test_what_the_servers_settings_ask_for_is_added_for_the_verification(
    standing_in: StandingIn, settings: dict[str, Any]
) -> None:
    server = resource_server(**settings)
    with standing_in(JWKS_URI, BODY):
        assert claims_of(server) == BODY


@pytest.mark.parametrize(
    "times",
    [
        {"exp": 1_520_274_401},
        {"exp": 1_520_274_401, "iat": 1_520_270_501, "nbf": 1_520_270_501},
        {"nbf": 33_333_333_333},
        {"iat": 33_333_333_333.5, "exp": 33_333_333_334.5},
    ],
)
def test_the_times_of_the_claims_are_believed(standing_in: StandingIn, times: dict[str, float]) -> None:
    server = resource_server()
    with standing_in(JWKS_URI, times):
        assert claims_of(server) == times


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"iss": "https://elsewhere.test"}, "issuer"),
        ({"aud": "https://elsewhere.test"}, "audience"),
        ({"exp": "soon"}, "invalid_claim"),
        ({"nbf": 33_333_333_333, "exp": 1_520_274_401}, "expired"),
        ({"cnf": {"jkt": "x"}}, "sender_constrained"),
        ({"sub": 7}, "invalid_claim"),
    ],
)
def test_claims_that_the_application_refuses_are_refused(
    standing_in: StandingIn, body: dict[str, Any], reason: str
) -> None:
    server = resource_server()
    with standing_in(JWKS_URI, body), pytest.raises(InvalidToken) as refused:
        server.verify("mocked_token")
    assert refused.value.reason == reason


def test_required_claims_are_added_and_those_of_the_test_are_judged(standing_in: StandingIn) -> None:
    server = resource_server(required_claims={"token_use": "access", "tenant": ["blue", "red"]})
    with standing_in(JWKS_URI, BODY):
        assert claims_of(server) == BODY
    with standing_in(JWKS_URI, BODY | {"tenant": "red"}):
        assert claims_of(server)["tenant"] == "red"
    with standing_in(JWKS_URI, {"token_use": "id"}), pytest.raises(InvalidToken) as refused:
        server.verify("mocked_token")
    assert refused.value.reason == "invalid_claim"


@pytest.mark.parametrize("body", [{}, {"exp": 1_520_274_401}])
def test_the_token_has_an_end_whether_the_claims_say_so_or_not(
    standing_in: StandingIn, body: dict[str, Any]
) -> None:
    with standing_in(JWKS_URI, body):
        token = resource_server().verify("mocked_token")
    assert token.expires_at == body.get("exp", token.expires_at)
    assert token.expires_at is not None
    assert token.expires_at > token.verified_at


def test_claims_that_are_not_json_are_refused_when_it_begins(standing_in: StandingIn) -> None:
    with pytest.raises(TypeError, match="set"), standing_in(JWKS_URI, {"scopes": {"a"}}):
        pass


def test_servers_with_other_keys_verify_as_ever(standing_in: StandingIn) -> None:
    issuer = Issuer()
    server = issuer.resource_server(keys=issuer.jwks_uri)
    given = issuer.resource_server(keys=issuer.jwks())
    with standing_in(JWKS_URI, BODY):
        for other in (server, given):
            assert other.verify(issuer.token("ada")).subject == "ada"
            assert asyncio.run(other.averify(issuer.token("ada"))).subject == "ada"
            for bad in (issuer.forged(), issuer.expired(), issuer.unsigned()):
                with pytest.raises(InvalidToken):
                    other.verify(bad)
                with pytest.raises(InvalidToken):
                    asyncio.run(other.averify(bad))
        with pytest.raises(InvalidToken):
            given.verify("mocked_token")


def beside(*others: Provider, **settings: Any) -> ResourceServer:
    """A server that takes keys from the URL of the test, and trusts others too."""
    return ResourceServer(*others, *resource_server(name="stood in for", **settings).providers)


def test_tokens_of_another_provider_of_the_same_server_are_verified_as_ever(standing_in: StandingIn) -> None:
    other = Issuer("https://other.test")
    server = beside(other.provider())
    with standing_in(JWKS_URI, BODY):
        assert claims_of(server) == BODY
        token = server.verify(other.token("bob"))
        assert (token.subject, token.provider.issuer) == ("bob", other.url)
        assert asyncio.run(server.averify(other.token("bob"))).subject == "bob"


BAD: dict[str, Callable[[Issuer], str]] = {
    "forged": Issuer.forged,
    "expired": Issuer.expired,
    "unsigned": Issuer.unsigned,
    "for another audience": Issuer.for_another_audience,
    "its issuer in a list": lambda other: other.token(iss=[other.url]),
    "two parts": lambda other: other.token().rpartition(".")[0],
    "five parts": lambda other: f"{other.token()}.x.y",
    "padding": lambda other: f"{other.token()}=",
    "no header": lambda other: f"x{other.token()}",
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_tokens_of_another_provider_of_the_same_server_are_refused(
    standing_in: StandingIn, kind: str
) -> None:
    other = Issuer("https://other.test")
    server = beside(other.provider())
    with standing_in(JWKS_URI, BODY):
        with pytest.raises(InvalidToken):
            server.verify(BAD[kind](other))
        with pytest.raises(InvalidToken):
            asyncio.run(server.averify(BAD[kind](other)))


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
def test_a_provider_that_accepts_any_issuer_gets_the_tokens_that_are_nobody_elses(
    standing_in: StandingIn,
) -> None:
    other = Issuer("https://other.test")
    server = beside(other.provider(issuer=None, keys=other.jwks(), dangerously_accept_any_issuer=True))
    with standing_in(JWKS_URI, BODY):
        assert server.verify(other.token("bob")).subject == "bob"
        for forged in (other.forged(), other.forged(iss="https://unheard.test"), other.forged(iss=None)):
            with pytest.raises(InvalidToken):
                server.verify(forged)
        assert claims_of(server, other.forged(iss="https://issuer.test")) == BODY
        assert claims_of(server) == BODY


def test_while_anothers_keys_cannot_be_had_its_tokens_are_refused(standing_in: StandingIn) -> None:
    other = Issuer("https://other.test")
    server = beside(other.provider())
    with standing_in(JWKS_URI, BODY), other.outage(), pytest.raises(ProviderUnavailable):
        server.verify(other.token("bob"))


@pytest.mark.parametrize("bearer", ["mocked_token", "a.b.c", "a.e30.c", "a.W10.c", "..", "a.\xe9.c"])
def test_what_is_of_no_other_provider_is_exchanged(standing_in: StandingIn, bearer: str) -> None:
    server = beside(Issuer("https://other.test").provider())
    with standing_in(JWKS_URI, BODY):
        assert claims_of(server, bearer) == BODY


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"Bearer " + b"a" * 70_000, "too_large"),
        (b"Bearer two tokens", "malformed_header"),
        (b"Basic dTpw", "other_scheme"),
    ],
    ids=["too large", "two tokens", "other scheme"],
)
def test_a_header_that_no_token_could_come_in_is_refused_all_the_same(
    standing_in: StandingIn, value: bytes, reason: str
) -> None:
    server = beside(Issuer("https://other.test").provider())
    with standing_in(JWKS_URI, BODY):
        assert server.authenticate(iter([(b"authorization", b"Bearer mocked_token")])).claims == BODY
        with pytest.raises(AuthError) as refusal:
            server.authenticate(iter([(b"authorization", value)]))
    assert refusal.value.reason == reason


def test_of_two_providers_with_one_key_url_the_one_of_the_claims_is_taken(standing_in: StandingIn) -> None:
    one = resource_server(issuer="https://one.test").providers
    two = resource_server(issuer="https://two.test", required_claims={"tenant": "red"}).providers
    server = ResourceServer(*one, *two)
    for body, issuer in (
        ({"iss": "https://one.test"}, "https://one.test"),
        ({"iss": "https://two.test"}, "https://two.test"),
        ({}, "https://one.test"),
    ):
        with standing_in(JWKS_URI, body):
            assert server.verify("mocked_token").provider.issuer == issuer
    with standing_in(JWKS_URI, {"iss": "https://two.test", "tenant": "blue"}):
        with pytest.raises(InvalidToken) as refused:
            server.verify("mocked_token")
        assert (refused.value.reason, refused.value.provider) == ("invalid_claim", "https://two.test")


def test_a_made_up_string_for_another_key_url_tells_which_url_to_return(standing_in: StandingIn) -> None:
    server = resource_server(keys="https://issuer.test/other/keys")
    message = (
        "^auth_mock stands in for https://issuer.test/the/keys, but the application takes its keys from "
        "https://issuer.test/other/keys: have the fixture jwks_uri return that.$"
    )
    with standing_in(JWKS_URI, BODY):
        with pytest.raises(AssertionError, match=message):
            server.verify("mocked_token")
        with pytest.raises(AssertionError, match=message):
            asyncio.run(server.averify("mocked_token"))


def test_a_real_token_whose_keys_cannot_be_had_tells_so_too(standing_in: StandingIn) -> None:
    server = resource_server(
        keys=RemoteKeys("https://issuer.test/other/keys", http_options={"transport": Unreachable()})
    )
    with standing_in(JWKS_URI, BODY), pytest.raises(AssertionError, match="have the fixture jwks_uri"):
        server.verify(Issuer().token())


@pytest.mark.parametrize("jwts", ["local", "verify_then_ask"])
def test_nobody_is_asked_about_what_a_made_up_string_is_exchanged_for(
    standing_in: StandingIn, jwts: Literal["local", "verify_then_ask"]
) -> None:
    introspection = Introspection(
        "orders-api",
        "secret",
        url="https://issuer.test/introspect",
        jwts=jwts,
        http_options={"transport": NoNetwork()},
    )
    server = resource_server(introspection=introspection)
    with standing_in(JWKS_URI, BODY):
        assert server.verify("mocked_token").claims == BODY


def test_it_does_not_work_outside_pytest(standing_in: StandingIn, monkeypatch: pytest.MonkeyPatch) -> None:
    server = resource_server()
    with monkeypatch.context() as outside:
        outside.delenv("PYTEST_CURRENT_TEST")
        with pytest.raises(RuntimeError, match="in a test that pytest runs"), standing_in(JWKS_URI, BODY):
            pass
    with standing_in(JWKS_URI, BODY), monkeypatch.context() as outside:
        outside.delenv("PYTEST_CURRENT_TEST")
        with pytest.raises(RuntimeError, match="in a test that pytest runs"):
            server.verify("mocked_token")


def test_it_does_not_work_in_a_program_that_a_test_starts() -> None:
    """Such a program inherits the environment, and with it the name of the test."""
    program = (
        "from bearerguard.testing.stand_in import standing_in\n"
        "with standing_in(object(), 'https://issuer.test/the/keys', {}): print('it works')"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "RuntimeError: auth_mock works in a test that pytest runs" in run.stderr
    assert "it works" not in run.stdout


@pytest.fixture
def client() -> Iterator[TestClient]:
    async def whoami(request: Request) -> JSONResponse:
        return JSONResponse(request.scope["oauth2-claims"])

    app = Starlette(routes=[Route("/", whoami)])
    login = Provider(
        "https://issuer.test",
        audience="https://api.test",
        keys=RemoteKeys(JWKS_URI, http_options={"transport": NoNetwork()}),
    )
    app.add_middleware(AuthenticateMiddleware, providers={"login": login})
    with TestClient(app) as client:
        yield client


def test_through_a_door_strings_are_exchanged_and_a_request_without_one_refused(
    standing_in: StandingIn,
    client: TestClient,
) -> None:
    with standing_in(JWKS_URI, BODY):
        answer = client.get("/", headers={"Authorization": "Bearer mocked_token"})
        assert (answer.status_code, answer.json()) == (200, BODY)
        assert client.get("/").status_code == 400
        assert client.get("/", headers={"Authorization": "Basic bW9ja2Vk"}).status_code == 400
        assert client.get("/", headers={"Authentication": "Bearer mocked_token"}).status_code == 400
    assert client.get("/", headers={"Authorization": "Bearer mocked_token"}).status_code == 401


def starlette_backend(jwks_uri: str) -> TestClient:
    @requires("my_scope")
    async def whoami(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.user.display_name)

    backend = OAuth2IdTokenBackend(
        jwks_uri,
        create_user=lambda token, token_body: SimpleUser(f"{token_body['name']} by {token}"),
        scopes=lambda token, token_body: token_body["scopes"],
        transport=NoNetwork(),
    )
    middleware = [Middleware(AuthenticationMiddleware, backend=backend, on_error=on_error)]
    return TestClient(Starlette(routes=[Route("/", whoami)], middleware=middleware))


def flask_decorator(jwks_uri: str) -> FlaskClient:
    app = flask.Flask(__name__)
    app.testing = True

    @app.get("/")
    @requires_authentication(jwks_uri, transport=NoNetwork())
    def whoami() -> str:
        requires_scopes(lambda token, token_body: token_body["scopes"], "my_scope")
        return f"{flask.g.token_body['name']} by {flask.g.token}"

    return app.test_client()


@pytest.mark.filterwarnings("ignore::bearerguard.SecurityWarning")
@pytest.mark.parametrize(
    ("client_of", "without_token"),
    [(starlette_backend, 403), (flask_decorator, 401)],
    ids=["starlette", "flask"],
)
def test_the_doors_that_it_is_for_need_no_issuer_and_no_audience(
    standing_in: StandingIn, client_of: Any, without_token: int
) -> None:
    client = client_of(JWKS_URI)
    bearer = {"Authorization": "Bearer mocked_token"}
    with standing_in(JWKS_URI, BODY):
        assert client.get("/", headers=bearer).text == "ada by mocked_token"
        assert client.get("/").status_code == without_token
        assert client_of(JWKS_URI).get("/", headers=bearer).text == "ada by mocked_token"
        with pytest.raises(AssertionError, match="have the fixture jwks_uri return that"):
            client_of("https://elsewhere.test/keys").get("/", headers=bearer)
    with standing_in(JWKS_URI, BODY | {"scopes": []}):
        assert client.get("/", headers=bearer).status_code == 403
    assert client.get("/", headers=bearer).status_code == 401
