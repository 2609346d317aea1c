"""What a guard adds to the OpenAPI document of a FastAPI application, and what it asks of whom to do so."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import trio
from fastapi import APIRouter, FastAPI, Security
from fastapi.security import APIKeyHeader
from openapi_spec_validator import validate
from starlette.testclient import TestClient

from bearerguard import (
    AuthError,
    ClientCertificate,
    ConfigurationError,
    DPoP,
    RemoteKeys,
    ResourceServer,
    Rule,
    any_scope,
    claim,
    fresh,
    role,
    scope,
)
from bearerguard.answer import json_body, problem_details
from bearerguard.fastapi import DocsClient, Guard
from bearerguard.fastapi.docs_client import with_clients
from bearerguard.fastapi.document import Document
from bearerguard.testing import Clock, Issuer

AUTHORIZE, TOKEN = "https://issuer.test/authorize", "https://issuer.test/token"


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(algorithm="ES256", clock=Clock(1_700_000_000))


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    """Fetches the keys of its provider, and so may ask it for more."""
    return Guard(issuer.resource_server())


@pytest.fixture
def constant_guard(issuer: Issuer) -> Guard:
    """Was given the keys of its provider."""
    return Guard(issuer.resource_server(keys=issuer.jwks()))


def view() -> str:
    return "let in"


def document_of(app: FastAPI) -> dict[str, Any]:
    """The document as it is served: valid, and without a trace of how it was made."""
    answer = TestClient(app).get("/openapi.json")
    assert "bearerguard" not in answer.text
    document: dict[str, Any] = answer.raise_for_status().json()
    validate(document)
    return document


def schemes_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    schemes: dict[str, dict[str, Any]] = document["components"]["securitySchemes"]
    return schemes


def security_of(document: dict[str, Any], path: str = "/", method: str = "get") -> Any:
    return document["paths"][path][method].get("security")


def described(guard: Guard, *rules: Rule | None, **options: Any) -> dict[str, Any]:
    """The document of an application with one route that asks for these rules."""
    app = guard.install(FastAPI(**options))
    app.get("/", dependencies=[guard.requires(rule) for rule in rules])(view)
    return document_of(app)


# -- what operations ask for -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "alternatives"),
    [
        ([None], [[]]),
        ([scope("b", "a")], [["a", "b"]]),
        ([scope("a") | scope("b")], [["a"], ["b"]]),
        ([any_scope("a", "b")], [["a"], ["b"]]),
        ([scope("a") & (scope("b") | scope("c"))], [["a", "b"], ["a", "c"]]),
        ([scope("a") | role("admin")], [[]]),
        ([scope("a") & role("admin") & fresh(max_age=60)], [["a"]]),
        ([scope("a") & ~scope("b")], [["a"]]),
        ([scope("a"), scope("b")], [["a", "b"]]),
        ([scope("a") | scope("b"), scope("c")], [["a", "c"], ["b", "c"]]),
        ([scope("a"), scope("a")], [["a"]]),
        ([None, scope("a")], [["a"]]),
    ],
    ids=repr,
)
def test_an_operation_names_the_scopes_that_are_enough(
    guard: Guard, rules: list[Rule | None], alternatives: list[list[str]]
) -> None:
    assert security_of(described(guard, *rules)) == [{"oauth2": scopes} for scopes in alternatives]


def test_what_routers_and_the_application_ask_for_stands_in_each_operation(guard: Guard) -> None:
    app = guard.install(FastAPI(dependencies=[guard.requires(scope("app"))]))
    router = APIRouter(dependencies=[guard.requires(scope("x") | scope("y"))])
    router.get("/", dependencies=[guard.requires(scope("route"))])(view)
    app.include_router(router, prefix="/r", dependencies=[guard.requires(scope("inclusion"))])
    assert security_of(document_of(app), "/r/") == [
        {"oauth2": ["app", "inclusion", "route", "x"]},
        {"oauth2": ["app", "inclusion", "route", "y"]},
    ]


def test_an_operation_that_does_without_a_token_says_so(guard: Guard) -> None:
    app = guard.install(FastAPI())
    app.get("/", dependencies=[guard.optional()])(view)
    assert security_of(document_of(app)) == [{}, {"oauth2": []}]


def test_an_operation_that_needs_a_token_somewhere_needs_one(guard: Guard) -> None:
    app = guard.install(FastAPI(dependencies=[guard.optional()]))
    app.get("/", dependencies=[guard.requires(scope("a"))])(view)
    assert security_of(document_of(app)) == [{"oauth2": ["a"]}]


def test_an_operation_that_is_open_asks_for_nothing(guard: Guard) -> None:
    app = guard.install(FastAPI())
    app.get("/")(view)
    document = document_of(app)
    assert security_of(document) is None
    assert "securitySchemes" not in document.get("components", {})
    assert set(document["paths"]["/"]["get"]["responses"]) == {"200"}


def test_other_schemes_of_the_application_stay(guard: Guard) -> None:
    app = guard.install(FastAPI())
    key = APIKeyHeader(name="X-Key")
    app.get("/", dependencies=[guard.requires(scope("a")), Security(key)])(view)
    app.get("/key", dependencies=[Security(key)])(view)
    document = document_of(app)
    assert security_of(document) == [{"APIKeyHeader": []}, {"oauth2": ["a"]}]
    assert security_of(document, "/key") == [{"APIKeyHeader": []}]
    assert set(schemes_of(document)) == {"APIKeyHeader", "oauth2"}


# -- where tokens come from ------------------------------------------------------------------------------


def test_a_provider_with_metadata_is_documented_with_its_flow(guard: Guard) -> None:
    assert schemes_of(described(guard, scope("b"), scope("a"))) == {
        "oauth2": {
            "type": "oauth2",
            "description": "A token of https://issuer.test",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": AUTHORIZE,
                    "tokenUrl": TOKEN,
                    "scopes": {"a": "", "b": ""},
                }
            },
        }
    }


def test_each_of_several_providers_is_an_alternative(issuer: Issuer) -> None:
    other = Issuer("https://other.test", algorithm="ES256")
    third = Issuer("https://third.test", algorithm="ES256")
    providers = (issuer.provider(), other.provider(), third.provider(keys=third.jwks(), name="third"))
    document = described(Guard(ResourceServer(*providers)), scope("a") | scope("b"))
    assert security_of(document) == [
        {"issuer.test": ["a"]},
        {"issuer.test": ["b"]},
        {"other.test": ["a"]},
        {"other.test": ["b"]},
        {"third": ["a"]},
        {"third": ["b"]},
    ]
    schemes = schemes_of(document)
    assert schemes["issuer.test"]["flows"]["authorizationCode"]["tokenUrl"] == TOKEN
    assert schemes["other.test"]["flows"]["authorizationCode"]["tokenUrl"] == "https://other.test/token"
    assert schemes["third"] == {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of third",
    }


def test_each_of_several_guards_has_schemes_of_its_own(guard: Guard) -> None:
    second = Guard(Issuer("https://other.test", algorithm="ES256").resource_server())
    app = second.install(guard.install(FastAPI()))
    app.get("/first", dependencies=[guard.requires(scope("a"))])(view)
    app.get("/second", dependencies=[second.requires(scope("b"))])(view)
    document = document_of(app)
    assert security_of(document, "/first") == [{"oauth2": ["a"]}]
    assert security_of(document, "/second") == [{"oauth2_2": ["b"]}]
    flows = {name: scheme["flows"]["authorizationCode"] for name, scheme in schemes_of(document).items()}
    assert flows["oauth2"]["scopes"] == {"a": ""}
    assert flows["oauth2_2"]["scopes"] == {"b": ""}


@pytest.mark.parametrize("as_function", [True, False], ids=["function", "object"])
def test_a_provider_whose_keys_were_given_is_never_asked_anything(issuer: Issuer, as_function: bool) -> None:
    keys = issuer.jwks()
    guard = Guard(issuer.resource_server(keys=(lambda: keys) if as_function else keys))
    document = described(guard, scope("a"))
    assert schemes_of(document)["oauth2"]["scheme"] == "bearer"
    assert security_of(document) == [{"oauth2": ["a"]}]
    assert issuer.requests == ()


def guard_with_certificates(issuer: Issuer) -> Guard:
    source = ClientCertificate.from_proxy("nginx", peers="10.0.0.5")
    return Guard(ResourceServer(issuer.provider(keys=issuer.jwks()), certificate=source))


def test_a_token_that_is_bound_to_a_certificate_is_an_alternative(issuer: Issuer) -> None:
    document = described(guard_with_certificates(issuer), scope("a"))
    assert schemes_of(document)["mutualTLS"]["type"] == "mutualTLS"
    assert security_of(document) == [{"oauth2": ["a"]}, {"oauth2": ["a"], "mutualTLS": []}]


@pytest.mark.parametrize("required", [False, True])
def test_a_token_that_is_bound_to_a_key_is_an_alternative_or_the_only_one(
    issuer: Issuer, required: bool
) -> None:
    dpop = DPoP(required=required)
    fixed = issuer.resource_server(keys=issuer.jwks(), dpop=dpop, resource="https://api.test")
    document = described(Guard(fixed), scope("a"))
    assert schemes_of(document)["DPoP"].items() >= {"type": "http", "scheme": "DPoP"}.items()
    # Where only HTTP Bearer is known of a provider, DPoP takes its place: a request has one `Authorization`.
    bearer = [] if required else [{"oauth2": ["a"]}]
    assert security_of(document) == [*bearer, {"DPoP": []}]
    responses = document["paths"]["/"]["get"]["responses"]
    assert {"401", "403", "429", "503"} <= responses.keys()


def test_openapi_3_0_has_no_word_for_certificates(issuer: Issuer) -> None:
    app = FastAPI()
    app.openapi_version = "3.0.2"
    guard = guard_with_certificates(issuer)
    guard.install(app).get("/", dependencies=[guard.requires(scope("a"))])(view)
    document = document_of(app)
    assert "mutualTLS" not in schemes_of(document)
    assert security_of(document) == [{"oauth2": []}]


def test_a_scheme_that_knows_no_scopes_lists_none_in_openapi_3_0(constant_guard: Guard) -> None:
    app = constant_guard.install(FastAPI())
    app.openapi_version = "3.0.3"
    app.get("/", dependencies=[constant_guard.requires(scope("a") | scope("b"))])(view)
    assert security_of(document_of(app)) == [{"oauth2": []}]


def test_a_flow_lists_its_scopes_in_openapi_3_0(guard: Guard) -> None:
    app = guard.install(FastAPI())
    app.openapi_version = "3.0.3"
    app.get("/", dependencies=[guard.requires(scope("a"))])(view)
    assert security_of(document_of(app)) == [{"oauth2": ["a"]}]


class Metadata:
    """Answers every request for metadata with members of a test's choosing."""

    def __init__(self, **members: Any) -> None:
        self.content = {"issuer": "https://issuer.test", **members}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=self.content)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"token_endpoint": TOKEN},
        {"authorization_endpoint": AUTHORIZE},
        {"authorization_endpoint": AUTHORIZE, "token_endpoint": ["https://issuer.test/token"]},
        {"authorization_endpoint": "javascript:alert(1)", "token_endpoint": TOKEN},
        {"authorization_endpoint": "http://issuer.test/authorize", "token_endpoint": TOKEN},
        {"authorization_endpoint": AUTHORIZE, "token_endpoint": "http://issuer.test/token"},
        {"issuer": "https://elsewhere.test", "authorization_endpoint": AUTHORIZE, "token_endpoint": TOKEN},
    ],
    ids=repr,
)
def test_metadata_that_lead_nowhere_safe_are_not_passed_on(issuer: Issuer, members: dict[str, Any]) -> None:
    provider = issuer.provider(keys=RemoteKeys(http_options={"transport": Metadata(**members)}))
    document = described(Guard(ResourceServer(provider)), scope("a"))
    assert schemes_of(document)["oauth2"]["scheme"] == "bearer"


# -- when the provider is asked, and what waits for it ---------------------------------------------------


PATIENCE = 30.0
"""Seconds; where a test holds the provider, nobody is to lose patience on a busy machine."""


@pytest.fixture
def app(guard: Guard) -> FastAPI:
    """An application whose document waits for metadata for as long as a test may take."""
    app = FastAPI()
    Document(guard, app, patience=PATIENCE).install()
    app.get("/", dependencies=[guard.requires(scope("a"))])(view)
    app.get("/health")(view)
    return app


def asked(issuer: Issuer) -> int:
    return issuer.count("/.well-known/openid-configuration")


def test_metadata_are_asked_for_once(app: FastAPI, issuer: Issuer) -> None:
    for _ in range(3):
        assert "flows" in schemes_of(document_of(app))["oauth2"]
        issuer.clock.advance(3_600)
    assert asked(issuer) == 1


def test_nobody_is_asked_before_the_document_is_wanted(app: FastAPI, issuer: Issuer) -> None:
    assert TestClient(app).get("/health").status_code == 200
    assert issuer.requests == ()


def test_while_the_provider_is_down_bearer_is_documented_and_the_flow_when_it_is_back(
    app: FastAPI, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    with issuer.outage():
        assert schemes_of(document_of(app))["oauth2"]["scheme"] == "bearer"
        assert "could not be fetched" in caplog.text
        issuer.clock.advance(29)
        assert schemes_of(document_of(app))["oauth2"]["scheme"] == "bearer"
    assert asked(issuer) == 1
    issuer.clock.advance(1)
    assert "flows" in schemes_of(document_of(app))["oauth2"]


def test_a_script_gets_the_document_that_is_served(app: FastAPI, issuer: Issuer) -> None:
    document = app.openapi()
    assert "flows" in schemes_of(document)["oauth2"]
    assert json.loads(json.dumps(document)) == document_of(app)
    assert app.openapi() is document
    assert asked(issuer) == 1


def test_on_an_event_loop_a_program_waits_for_nobody_and_is_told_what_is_missing(
    app: FastAPI, issuer: Issuer
) -> None:
    async def main() -> dict[str, Any]:
        return app.openapi()

    for document in (asyncio.run(main()), trio.run(main)):
        scheme = schemes_of(document)["oauth2"]
        assert scheme["scheme"] == "bearer"
        assert "could not be read when this document was made" in scheme["description"]
    assert issuer.requests == ()
    assert "flows" in schemes_of(document_of(app))["oauth2"]


def test_a_script_is_told_when_the_provider_does_not_answer(app: FastAPI, issuer: Issuer) -> None:
    with issuer.outage():
        scheme = schemes_of(app.openapi())["oauth2"]
    assert scheme["scheme"] == "bearer"
    assert "could not be read" in scheme["description"]


async def until(happened: Callable[[], bool]) -> None:
    while not happened():  # noqa: ASYNC110 - on another thread, which sets no event
        await asyncio.sleep(0.001)


def test_a_slow_provider_keeps_nobody_waiting_but_whoever_wants_the_document(
    app: FastAPI, issuer: Issuer
) -> None:
    """A call that blocked the event loop would fail this test, as it does all: see tests/conftest.py."""

    async def main() -> None:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://api.test") as client:
            with issuer.slow(3_600):
                waiting = asyncio.create_task(client.get("/openapi.json"))
                await until(lambda: asked(issuer) == 1)
                assert (await client.get("/health")).status_code == 200
                meanwhile = (await client.get("/openapi.json")).json()
                assert schemes_of(meanwhile)["oauth2"]["scheme"] == "bearer"
                assert not waiting.done()
            assert "flows" in schemes_of((await waiting).json())["oauth2"]

    asyncio.run(main())


def test_several_providers_are_asked_at_the_same_time(issuer: Issuer) -> None:
    other = Issuer("https://other.test", algorithm="ES256")
    guard = Guard(ResourceServer(issuer.provider(), other.provider()))
    app = FastAPI()
    Document(guard, app, patience=PATIENCE).install()
    app.get("/", dependencies=[guard.requires()])(view)

    async def main() -> None:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://api.test") as client:
            with issuer.slow(3_600), other.slow(3_600):
                waiting = asyncio.create_task(client.get("/openapi.json"))
                await until(lambda: asked(issuer) + asked(other) == 2)
            assert all("flows" in scheme for scheme in schemes_of((await waiting).json()).values())

    asyncio.run(main())


def test_metadata_that_do_not_come_hold_up_no_document_for_long(issuer: Issuer, guard: Guard) -> None:
    app = FastAPI()
    Document(guard, app, patience=0.0).install()
    app.get("/", dependencies=[guard.requires(scope("a"))])(view)
    with issuer.slow(3_600):
        for _ in range(3):
            assert schemes_of(document_of(app))["oauth2"]["scheme"] == "bearer"
        while not issuer.requests:
            time.sleep(0.001)
    # What comes later is there for the next one.
    while guard.server.known_metadata(issuer.url) is None:
        time.sleep(0.001)
    assert "flows" in schemes_of(document_of(app))["oauth2"]
    assert asked(issuer) == 1


def test_what_the_keys_were_discovered_by_is_not_asked_for_again(
    app: FastAPI, guard: Guard, issuer: Issuer
) -> None:
    guard.server.warm_up()
    assert asked(issuer) == 1
    assert "flows" in schemes_of(document_of(app))["oauth2"]
    assert asked(issuer) == 1


def test_what_the_document_was_made_of_is_not_asked_for_again_to_find_the_keys(
    app: FastAPI, guard: Guard, issuer: Issuer
) -> None:
    assert "flows" in schemes_of(document_of(app))["oauth2"]
    guard.server.warm_up()
    assert (asked(issuer), issuer.count("/jwks")) == (1, 1)


# -- refusals --------------------------------------------------------------------------------------------


def responses_of(document: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = document["paths"]["/"]["get"]["responses"]
    return responses


def test_an_operation_tells_how_it_may_be_refused(guard: Guard) -> None:
    document = described(guard, scope("a"))
    named = {status: answer.get("$ref") for status, answer in responses_of(document).items()}
    assert named == {
        "200": None,
        "401": "#/components/responses/Unauthorized",
        "403": "#/components/responses/Forbidden",
        "503": "#/components/responses/ServiceUnavailable",
    }
    for answer in document["components"]["responses"].values():
        assert "WWW-Authenticate" in answer["headers"]
    assert "Retry-After" in document["components"]["responses"]["ServiceUnavailable"]["headers"]


def test_what_any_token_opens_is_not_forbidden_to_one(guard: Guard) -> None:
    assert set(responses_of(described(guard, None))) == {"200", "401", "503"}


def test_keys_that_were_given_are_always_there(constant_guard: Guard) -> None:
    assert set(responses_of(described(constant_guard, scope("a")))) == {"200", "401", "403"}


@pytest.mark.parametrize("status", [403, "4XX"])
def test_what_the_application_documents_itself_stays(constant_guard: Guard, status: int | str) -> None:
    app = constant_guard.install(FastAPI())
    own: dict[int | str, dict[str, Any]] = {status: {"description": "Not you."}}
    app.get("/", dependencies=[constant_guard.requires(scope("a"))], responses=own)(view)
    responses = responses_of(document_of(app))
    assert responses[str(status)] == {"description": "Not you."}
    assert ("401" in responses, "403" in responses) == (status == 403, status == 403)


def test_a_refusal_tells_its_body(issuer: Issuer) -> None:
    keys = issuer.jwks()
    server = issuer.resource_server(keys=keys)

    def own(error: AuthError) -> tuple[str, bytes]:
        return "application/json; charset=utf-8", json.dumps({"why": error.reason}).encode()

    def of_a_request(error: AuthError) -> tuple[str, bytes]:
        raise LookupError("there is no request")

    def text(error: AuthError) -> tuple[str, bytes]:
        return "text/plain", b"no"

    contents = []
    for body in (json_body, problem_details, own, of_a_request, text):
        document = described(Guard(server, body=body), scope("a"))
        contents.append(document["components"]["responses"]["Unauthorized"].get("content"))
    by_json, by_problem, by_own, by_request, by_text = contents
    assert set(by_json["application/json"]["schema"]["required"]) == {"message", "error"}
    assert by_problem["application/problem+json"]["schema"]["properties"]["status"] == {"type": "integer"}
    assert by_own == {"application/json; charset=utf-8": {"example": {"why": "no_credentials"}}}
    assert by_request is None
    assert by_text == {"text/plain": {}}


@pytest.mark.parametrize("body", [json_body, problem_details])
def test_the_body_that_is_told_is_the_one_that_is_sent(issuer: Issuer, body: Any) -> None:
    guard = Guard(issuer.resource_server(keys=issuer.jwks()), body=body)
    app = guard.install(FastAPI())
    app.get("/", dependencies=[guard.requires(scope("a"))])(view)
    [(media_type, content)] = document_of(app)["components"]["responses"]["Forbidden"]["content"].items()
    answer = TestClient(app).get("/", headers={"Authorization": f"Bearer {issuer.token()}"})
    assert (answer.status_code, answer.headers["content-type"]) == (403, media_type)
    assert (
        answer.json().keys() == set(content["schema"]["required"]) == content["schema"]["properties"].keys()
    )


def test_guards_with_bodies_of_their_own_tell_each_its_own(issuer: Issuer) -> None:
    server = issuer.resource_server(keys=issuer.jwks())
    one, other = Guard(server), Guard(server, body=problem_details)
    app = other.install(one.install(FastAPI()))
    app.get("/", dependencies=[one.requires(scope("a"))])(view)
    app.get("/other", dependencies=[other.requires(scope("a"))])(view)
    document = document_of(app)
    assert responses_of(document)["401"] == {"$ref": "#/components/responses/Unauthorized"}
    [media_type] = document["paths"]["/other"]["get"]["responses"]["401"]["content"]
    assert media_type == "application/problem+json"


def test_an_operation_names_the_roles_and_claims_of_its_rules(guard: Guard) -> None:
    app = guard.install(FastAPI())
    rules = (scope("orders:write"), role("admin") | claim("dept", "finance"))
    app.delete("/", dependencies=[guard.requires(rule) for rule in rules], description="Cancel an order.")(
        view
    )
    app.get("/", dependencies=[guard.requires()])(view)
    for _ in range(2):
        operations = document_of(app)["paths"]["/"]
        assert operations["delete"]["description"] == (
            "Cancel an order.\n\nNeeds the scope `orders:write` and (the role `admin` or the claim `dept` "
            'with the value `"finance"`).'
        )
        assert "description" not in operations["get"]


# -- FastAPI's own ways ----------------------------------------------------------------------------------


def test_routes_that_are_added_later_are_documented_too(guard: Guard) -> None:
    app = guard.install(FastAPI())
    app.get("/", dependencies=[guard.requires(scope("a"))])(view)
    assert "/later" not in document_of(app)["paths"]
    app.get("/later", dependencies=[guard.requires(scope("b"))])(view)
    app.openapi_schema = None  # as older releases of FastAPI want to be told
    document = document_of(app)
    assert security_of(document) == [{"oauth2": ["a"]}]
    assert security_of(document, "/later") == [{"oauth2": ["b"]}]
    assert set(schemes_of(document)["oauth2"]["flows"]["authorizationCode"]["scopes"]) == {"a", "b"}


def test_a_document_that_the_application_makes_itself_is_completed(guard: Guard) -> None:
    app = FastAPI()
    original = app.openapi

    def openapi() -> dict[str, Any]:
        return {**original(), "info": {"title": "Mine", "version": "7"}}

    app.openapi = openapi  # type: ignore[method-assign]
    guard.install(app)
    app.get("/", dependencies=[guard.requires(scope("a"))])(view)
    for _ in range(2):
        document = document_of(app)
        assert document["info"]["title"] == "Mine"
        assert security_of(document) == [{"oauth2": ["a"]}]


def test_installing_twice_changes_nothing(guard: Guard) -> None:
    app = guard.install(guard.install(FastAPI()))
    app.get("/", dependencies=[guard.requires(scope("a"))])(view)
    document = document_of(app)
    assert security_of(document) == [{"oauth2": ["a"]}]
    assert list(schemes_of(document)) == ["oauth2"]


def test_without_install_a_route_is_documented_as_bearer(guard: Guard, issuer: Issuer) -> None:
    app, elsewhere = FastAPI(), guard.install(FastAPI())
    app.get("/", dependencies=[guard.requires(scope("a"))])(view)
    elsewhere.mount("/app", app)
    assert document_of(elsewhere)["paths"] == {}
    document = document_of(app)
    assert list(schemes_of(document)) == ["bearer"]
    assert security_of(document) == [{"bearer": ["a"]}]


def test_a_guard_that_is_not_installed_is_documented_as_bearer_beside_one_that_is(guard: Guard) -> None:
    other = Guard(Issuer("https://other.test", algorithm="ES256").resource_server())
    app = guard.install(FastAPI())
    app.get("/", dependencies=[guard.requires(scope("a"))])(view)
    app.get("/other", dependencies=[other.requires(scope("b"))])(view)
    document = document_of(app)
    assert security_of(document) == [{"oauth2": ["a"]}]
    assert security_of(document, "/other") == [{"bearer": ["b"]}]


def test_an_application_without_a_document_gets_none(guard: Guard) -> None:
    app = guard.install(FastAPI(openapi_url=None))
    app.get("/", dependencies=[guard.requires(scope("a"))])(view)
    client = TestClient(app)
    assert (client.get("/openapi.json").status_code, client.get("/docs").status_code) == (404, 404)
    assert client.get("/").status_code == 401


def test_a_document_elsewhere_has_the_flow_too(guard: Guard) -> None:
    app = guard.install(FastAPI(openapi_url="/v1/api.json"))
    app.get("/", dependencies=[guard.requires(scope("a"))])(view)
    document = TestClient(app).get("/v1/api.json").json()
    assert "flows" in schemes_of(document)["oauth2"]


# -- the page with the button ----------------------------------------------------------------------------


@pytest.fixture
def init_oauth() -> Callable[[FastAPI], str]:
    def init_oauth(app: FastAPI) -> str:
        found = re.search(r"ui\.initOAuth\((.*)\)", TestClient(app).get("/docs").text)
        assert found
        return found[1]

    return init_oauth


def test_the_page_logs_in_with_pkce(guard: Guard, init_oauth: Callable[[FastAPI], str]) -> None:
    assert init_oauth(guard.install(FastAPI())) == '{"usePkceWithAuthorizationCodeGrant": true}'


def test_the_page_knows_its_client(guard: Guard, init_oauth: Callable[[FastAPI], str]) -> None:
    app = guard.install(FastAPI(), docs_client_id="docs")
    assert '"clientId": "docs"' in init_oauth(app)


def test_settings_of_the_page_stay(guard: Guard) -> None:
    own = {"usePkceWithAuthorizationCodeGrant": False, "scopes": "a", "clientId": "mine"}
    app = guard.install(FastAPI(swagger_ui_init_oauth=own))
    assert app.swagger_ui_init_oauth == own
    assert own == {"usePkceWithAuthorizationCodeGrant": False, "scopes": "a", "clientId": "mine"}


def test_the_page_asks_for_scopes_by_the_names_that_the_provider_knows(guard: Guard) -> None:
    scopes = {"api://orders/orders:read": "Read orders"}
    app = guard.install(FastAPI(), docs_scopes=scopes)
    app.get("/", dependencies=[guard.requires(scope("orders:read"))])(view)
    document = document_of(app)
    assert schemes_of(document)["oauth2"]["flows"]["authorizationCode"]["scopes"] == scopes
    assert security_of(document) == [{"oauth2": ["orders:read"]}]


def two_providers(issuer: Issuer) -> Guard:
    partners = Issuer("https://partners.test", algorithm="ES256")
    return Guard(ResourceServer(issuer.provider(name="staff"), partners.provider(name="Our partners")))


def clients_of(page: str) -> Any:
    """The clients that the page's plugin was given, by the names of their schemes."""
    found = re.search(r"window\.SwaggerUIBundle, (\{.*\})\);", page)
    assert found
    return json.loads(found[1])


def test_each_provider_has_a_client_and_scopes_of_its_own(issuer: Issuer) -> None:
    guard = two_providers(issuer)
    scopes = {"api://orders/read": "Read orders"}
    partners = DocsClient("docs-of-partners", scopes=scopes, parameters={"audience": "</script>"})
    app = guard.install(FastAPI(), docs_clients={"staff": "docs-of-staff", "Our partners": partners})
    app.get("/", dependencies=[guard.requires(scope("read"))])(view)
    schemes = schemes_of(document_of(app))
    assert {name: one["flows"]["authorizationCode"]["scopes"] for name, one in schemes.items()} == {
        "staff": {"read": ""},
        "Our-partners": scopes,
    }
    page = TestClient(app).get("/docs")
    assert clients_of(page.text) == {
        "staff": {"clientId": "docs-of-staff"},
        "Our-partners": {
            "clientId": "docs-of-partners",
            "additionalQueryStringParams": {"audience": "</script>"},
        },
    }
    assert page.text.count("</script>") == page.text.count("<script")
    assert int(page.headers["content-length"]) == len(page.content)


def test_a_page_that_does_not_start_swagger_ui_stays_as_it_is() -> None:
    assert with_clients("<script>start({})</script>", {"staff": {}}) == "<script>start({})</script>"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"docs_client_id": "docs"}, r"write docs_clients=\{'staff': '...', 'Our partners': '...'\}"),
        ({"docs_clients": {"stuff": "docs"}}, "has 'stuff', but no provider .* 'staff', 'Our partners'"),
        ({"docs_clients": {"staff": 7}}, "has a int for 'staff': give the id of a client"),
        ({"docs_clients": {"staff": ""}}, "has a str for 'staff': give the id of a client"),
        ({"docs_clients": ["staff"]}, "docs_clients is a list: give clients by the names of providers"),
        ({"docs_clients": {"staff": DocsClient("docs", scopes=["read"])}}, "scopes of .* write scopes={"),  # type: ignore[arg-type] # what people write
        ({"docs_clients": {"staff": DocsClient("docs", parameters={"a": 1})}}, "parameters of .* write"),  # type: ignore[dict-item] # likewise
    ],
)  # fmt: skip
def test_a_client_of_nobody_is_a_configuration_error(
    issuer: Issuer, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        two_providers(issuer).install(FastAPI(), **options)


@pytest.fixture(autouse=True)
def log_is_heard(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.WARNING, "bearerguard"):
        yield


def test_where_only_a_function_knows_the_issuers_any_bearer_token_is_documented() -> None:
    guard = Guard(ResourceServer.trusting(bool, audience="https://api.test"))
    app = guard.install(FastAPI())
    app.get("/", dependencies=[guard.requires(scope("orders:read"))])(view)
    document = document_of(app)
    [(name, scheme)] = schemes_of(document).items()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert [list(one) for one in security_of(document)] == [[name]]
    assert {"401", "403", "503"} <= document["paths"]["/"]["get"]["responses"].keys()
