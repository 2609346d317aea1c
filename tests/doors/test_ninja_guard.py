"""The `Guard` of Django Ninja, where it is Ninja's own: other authentication, error handlers, the stand-in.

What it has in common with every other door is in tests/conformance, what it documents in a file of its own.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path
from ninja import NinjaAPI, Router
from ninja.constants import NOT_SET
from ninja.errors import AuthenticationError, HttpError
from ninja.security import HttpBasicAuth
from ninja.testing import TestAsyncClient, TestClient
from ninja.throttling import AuthRateThrottle

from bearerguard import AccessToken, ResourceServer, role, scope
from bearerguard.answer import BEARER, ChallengeContext, Scheme
from bearerguard.context import verified_token
from bearerguard.ninja import Guard, Nobody, RefusedRequest
from bearerguard.testing import Issuer
from tests.doors_under_test.django_site import site
from tests.doors_under_test.exchange import Answer, Request, ask_asgi, ask_wsgi

OVER = pytest.mark.parametrize("over", [WSGIHandler, ASGIHandler], ids=["WSGI", "ASGI"])


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return Guard(issuer.resource_server(keys=issuer.jwks()), realm="shop")


def hello(request: Any) -> Any:
    return {"sub": request.auth.subject}


async def hello_later(request: Any) -> Any:
    return {"sub": request.auth.subject}


def new(guard: Guard | None, auth: Any, operation: Callable[..., Any] = hello) -> NinjaAPI:
    """An API with one operation, installed where there is a guard."""
    api = NinjaAPI(docs_url=None, openapi_url=None)
    if guard is not None:
        guard.install(api)
    api.get("orders", auth=auth)(operation)
    return api


def ask(api: NinjaAPI, token: str | None = None, *, over: Any = WSGIHandler, **changes: Any) -> Answer:
    fields = [*changes.pop("fields", [])]
    if token is not None:
        fields.append((b"Authorization", f"Bearer {token}".encode()))
    app = site([path("", api.urls)], over=over)
    send = ask_wsgi if over is WSGIHandler else ask_asgi
    return send(app, Request(path="/orders", fields=fields, **changes))[0]


@OVER
@pytest.mark.parametrize("operation", [hello, hello_later], ids=["sync", "async"])
def test_one_auth_is_for_sync_and_async_operations(
    operation: Any, over: Any, guard: Guard, issuer: Issuer
) -> None:
    api = new(guard, guard.requires(scope("orders:read")), operation)
    assert ask(api, issuer.token("ada", "orders:read"), over=over).json == {"sub": "ada"}
    answers = [ask(api, token, over=over) for token in (None, issuer.expired(), issuer.token(scope="b"))]
    assert [answer.status for answer in answers] == [401, 401, 403]
    codes = [answer.challenge.get("error") for answer in answers]
    assert codes == [None, "invalid_token", "insufficient_scope"]
    assert [answer.challenge["realm"] for answer in answers] == ["shop"] * 3
    assert answers[0].challenge["scope"] == "orders:read"


@OVER
@pytest.mark.parametrize("operation", [hello, hello_later], ids=["sync", "async"])
def test_trouble_at_the_provider_is_a_503_that_says_when_to_come_again(operation: Any, over: Any) -> None:
    issuer = Issuer(f"https://ninja.test/{operation.__name__}/{over.__name__}")
    guard = Guard(issuer.resource_server())
    with issuer.outage():
        answer = ask(new(guard, guard.requires(), operation), issuer.token(), over=over)
    assert (answer.status, answer.challenge) == (503, {})
    assert int(answer.one("retry-after")) >= 1


def test_an_async_operation_asks_in_its_own_task(guard: Guard, issuer: Issuer) -> None:
    asked: list[Any] = []
    original = guard.aadmit_request

    async def watched(request: Any, demand: Any) -> Any:
        asked.append(asyncio.current_task())
        return await original(request, demand)

    async def entered(request: Any) -> Any:
        asked.append(asyncio.current_task())
        return {}

    guard.aadmit_request = watched  # type: ignore[method-assign]  # to see where it is called
    assert ask(new(guard, guard.requires(), entered), issuer.token(), over=ASGIHandler).status == 200
    assert asked[0] is asked[1] is not None


def test_rules_stand_on_apis_and_routers_too(guard: Guard, issuer: Issuer) -> None:
    for where in ("api", "router", "added router"):
        rule = guard.requires(role("admin"))
        api = guard.install(NinjaAPI(docs_url=None, openapi_url=None, auth=rule if where == "api" else None))
        router = Router(auth=rule if where == "router" else NOT_SET)
        router.get("orders")(hello)
        api.add_router("", router, auth=rule if where == "added router" else NOT_SET)
        assert [ask(api).status, ask(api, issuer.token()).status] == [401, 403], where
        assert ask(api, issuer.token("ada", roles=["admin"])).json == {"sub": "ada"}


@pytest.mark.parametrize("operation", [hello, hello_later], ids=["sync", "async"])
def test_ninjas_own_test_clients_ask_it(operation: Any, guard: Guard, issuer: Issuer) -> None:
    api = new(guard, guard.requires(), operation)
    kind: Any = TestClient if operation is hello else TestAsyncClient
    client: Any = kind(api)

    def asked(token: str | None) -> Any:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        given = client.get("/orders", headers=headers)
        return asyncio.run(given) if asyncio.iscoroutine(given) else given

    def answer(token: str | None) -> Any:
        # They close no response, so a request is over when its mock is collected: it has a context to itself.
        return contextvars.copy_context().run(asked, token)

    assert answer(issuer.token("ada")).json() == {"sub": "ada"}
    assert [answer(None).status_code, answer(issuer.expired()).status_code] == [401, 401]


# -- where a token is optional -----------------------------------------------------------------------------


@OVER
def test_where_a_token_is_optional_nobody_stands_in_for_one(over: Any, guard: Guard, issuer: Issuer) -> None:
    found: list[Any] = []

    def operation(request: Any) -> Any:
        found.append(request.auth)
        return hello(request)

    api = new(guard, guard.optional(), operation)
    assert ask(api, over=over).json == {"sub": None}
    assert ask(api, issuer.token("ada"), over=over).json == {"sub": "ada"}
    assert ask(api, issuer.expired(), over=over).status == 401
    nobody, token = found
    assert isinstance(token, AccessToken)
    assert isinstance(nobody, Nobody)
    assert (bool(nobody), repr(Nobody()), nobody.client_id) == (True, "Nobody()", None)
    assert not any([nobody.scopes, nobody.roles, nobody.permissions, nobody.claims])


# -- beside other ways to authenticate -----------------------------------------------------------------------


class Basic(HttpBasicAuth):
    def authenticate(self, request: Any, username: str, password: str) -> Any:
        return _Known(username) if password == "secret" else None


class AsyncBasic(Basic):
    async def authenticate(self, request: Any, username: str, password: str) -> Any:
        return _Known(username) if password == "secret" else None


class _Known:
    def __init__(self, subject: str) -> None:
        self.subject = subject


BY_PASSWORD = [(b"Authorization", b"Basic dTpzZWNyZXQ=")]
WRONG_PASSWORD = [(b"Authorization", b"Basic dTp3cm9uZw==")]


@OVER
@pytest.mark.parametrize("first", [True, False], ids=["ours first", "ours last"])
@pytest.mark.parametrize(
    ("operation", "other"),
    [(hello, Basic), (hello_later, Basic), (hello_later, AsyncBasic)],
    ids=["sync", "async", "async, both"],
)
def test_a_request_without_a_token_is_left_to_other_ways(
    operation: Any, other: Any, first: bool, over: Any, issuer: Issuer
) -> None:
    guard = Guard(issuer.resource_server(keys=issuer.jwks()), realm="shop")
    ways = [guard.requires(scope("a")), other()]
    api = new(guard, ways if first else ways[::-1], operation)
    assert ask(api, fields=BY_PASSWORD, over=over).json == {"sub": "u"}
    assert ask(api, issuer.token("ada", "a"), over=over).json == {"sub": "ada"}
    for answer, status in (
        (ask(api, over=over), 401),
        (ask(api, fields=WRONG_PASSWORD, over=over), 401),
        (ask(api, issuer.expired(), over=over), 401),
        (ask(api, issuer.token(scope="b"), over=over), 403),
    ):
        assert (answer.status, answer.challenge["realm"]) == (status, "shop")


def test_a_token_that_another_way_did_not_see_is_nobodys(guard: Guard, issuer: Issuer) -> None:
    found: list[Any] = []

    def operation(request: Any) -> Any:
        found.append(verified_token())
        return hello(request)

    api = new(guard, [guard.requires(), Basic()], operation)
    assert ask(api, fields=BY_PASSWORD).status == 200
    assert found == [None]


# -- who words a refusal ---------------------------------------------------------------------------------


def sorry(request: HttpRequest, error: Any) -> HttpResponse:
    return HttpResponse("sorry", status=getattr(error, "status_code", 401))


@pytest.mark.parametrize("kind", [RefusedRequest, HttpError])
def test_challenge_and_retry_after_stay_whatever_words_the_refusal(kind: Any) -> None:
    issuer = Issuer(f"https://{kind.__name__.lower()}.test")
    guard = Guard(issuer.resource_server())
    api = new(guard, guard.requires(scope("a")))
    if kind is HttpError:  # as an API that knows no other
        del api._exception_handlers[RefusedRequest], api._exception_handlers[AuthenticationError]
    api.add_exception_handler(kind, sorry)
    api.add_exception_handler(AuthenticationError, sorry)
    with issuer.outage():
        down = ask(api, issuer.token())
    assert (down.status, down.body, len(down.all("retry-after"))) == (503, b"sorry", 1)
    issuer.clock.advance(60)
    for token, status in ((None, 401), (issuer.expired(), 401), (issuer.token(scope="b"), 403)):
        answer = ask(api, token)
        assert (answer.status, answer.body) == (status, b"sorry")
        assert ("error" in answer.challenge) is (token is not None)


def test_an_answer_about_something_else_gets_no_challenge(guard: Guard, issuer: Issuer) -> None:
    api = new(guard, guard.requires())
    api.add_exception_handler(RefusedRequest, lambda request, error: HttpResponse("", status=302))
    assert ask(api, issuer.expired()).all("www-authenticate") == []
    mine = {"WWW-Authenticate": 'Bearer realm="mine"'}
    api = new(guard, guard.requires())
    api.add_exception_handler(RefusedRequest, lambda request, error: HttpResponse(status=401, headers=mine))
    assert ask(api, issuer.expired()).all("www-authenticate") == ['Bearer realm="mine"']


def test_errors_of_the_operation_are_ninjas_and_have_no_challenge(guard: Guard, issuer: Issuer) -> None:
    def failing(error: Exception) -> Callable[..., Any]:
        def operation(request: Any) -> Any:
            raise error

        return operation

    for error, status in ((HttpError(403, "no"), 403), (AuthenticationError(), 401), (ValueError(), 500)):
        answer = ask(new(guard, guard.requires(), failing(error)), issuer.token())
        assert (answer.status, answer.all("www-authenticate")) == (status, [])


def test_what_a_request_must_look_like_is_asked_after_the_token(guard: Guard, issuer: Issuer) -> None:
    def operation(request: Any, number: int) -> Any:
        return number

    api = new(guard, guard.requires(), operation)
    assert [ask(api).status, ask(api, issuer.token()).status] == [401, 422]
    assert ask(api, issuer.token(), query="number=7").json == 7


def test_an_api_that_is_not_installed_refuses_with_the_status_all_the_same(
    guard: Guard, issuer: Issuer
) -> None:
    api = new(None, guard.requires(scope("a")))
    statuses = [ask(api, token).status for token in (None, issuer.expired(), issuer.token(scope="b"))]
    assert statuses == [401, 401, 403]
    assert ask(api, issuer.token("ada", "a")).json == {"sub": "ada"}
    assert verified_token() is None


def test_two_guards_each_answer_for_themselves(issuer: Issuer) -> None:
    server: ResourceServer = issuer.resource_server(keys=issuer.jwks())
    guards = [
        Guard(server, realm=name, body=lambda error, name=name: ("text/plain", name.encode()))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        for name in ("orders", "stock")
    ]
    for guard in guards:
        api = guards[1].install(guards[0].install(NinjaAPI(docs_url=None, openapi_url=None)))
        api.get("orders", auth=guard.requires())(hello)
        answer = ask(api)
        assert (answer.body.decode(), answer.challenge["realm"]) == (guard.realm, guard.realm)


def test_two_challenges_stand_in_two_fields(guard: Guard, issuer: Issuer) -> None:
    guard.context = ChallengeContext(schemes=(BEARER, Scheme("DPoP", ("ES256",))))
    for token in (None, issuer.expired()):
        challenges = ask(new(guard, guard.requires()), token).all("www-authenticate")
        assert [one.split(" ")[0] for one in challenges] == ["Bearer", "DPoP"]


def test_a_handler_finds_the_error_and_what_the_guard_would_answer(guard: Guard, issuer: Issuer) -> None:
    seen: list[RefusedRequest] = []

    def handle(request: HttpRequest, error: Any) -> HttpResponse:
        seen.append(error)
        return HttpResponse(status=error.status_code)

    api = new(guard, guard.requires(scope("a")))
    api.add_exception_handler(RefusedRequest, handle)
    ask(api, issuer.token(scope="b"))
    assert (seen[0].error.reason, seen[0].error.rule, seen[0].answer.status) == ("scope", scope("a"), 403)
    assert str(seen[0]) == seen[0].error.description


# -- who is served ---------------------------------------------------------------------------------------


@OVER
def test_after_an_operation_that_fails_nobody_is_served(over: Any, guard: Guard, issuer: Issuer) -> None:
    kept: list[Any] = []

    def operation(request: Any) -> Any:
        kept.append(request)
        assert verified_token() is request.auth
        raise ZeroDivisionError

    assert ask(new(guard, guard.requires(), operation), issuer.token(), over=over).status == 500
    assert verified_token() is None


# -- throttles -------------------------------------------------------------------------------------------


def test_a_throttle_takes_no_two_for_one(issuer: Issuer) -> None:
    other_issuer = Issuer("https://other.test")
    providers = [i.provider(keys=i.jwks(), name=i.url) for i in (issuer, other_issuer)]
    guard = Guard(ResourceServer(*providers, clock=issuer.clock))
    api = guard.install(NinjaAPI(docs_url=None, openapi_url=None))
    throttle = AuthRateThrottle("1/d")
    throttle.scope = issuer.token()[-8:]  # the cache is that of all tests
    api.get("orders", auth=guard.optional(), throttle=[throttle])(hello)
    clients = [issuer.token(sub=None, client_id=client) for client in ("batch", "report")]
    tokens = [issuer.token("ada"), issuer.token("bob"), other_issuer.token("ada"), *clients]
    for status in (200, 429):
        assert [ask(api, token).status for token in tokens] == [status] * 5
        assert [ask(api, peer=address).status for address in ("192.0.2.1", "192.0.2.2")] == [status] * 2
