"""What Ninja's document says of a guard: schemes, scopes, alternatives, refusals. A validator reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http import HttpRequest
from django.urls import path
from ninja import NinjaAPI, Schema
from ninja.security import HttpBasicAuth
from openapi_spec_validator import validate

from bearerguard import ClientCertificate, DPoP, ResourceServer, role, scope
from bearerguard.ninja import Guard
from bearerguard.testing import Issuer
from tests.doors_under_test.django_site import site
from tests.doors_under_test.exchange import Request, ask_wsgi


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return Guard(issuer.resource_server())


def operation(request: HttpRequest) -> Any:
    return {}


class Basic(HttpBasicAuth):
    def authenticate(self, request: Any, username: str, password: str) -> Any:
        return None


def document(guard: Guard, *auths: Any, **options: Any) -> Any:
    """The document of an API with an operation for each of these, at `/0`, `/1` and so on."""
    api = guard.install(NinjaAPI(**options))
    for number, auth in enumerate(auths):
        api.get(str(number), auth=auth, operation_id=f"operation{number}")(operation)
    return read(api)


def read(api: NinjaAPI) -> Any:
    made = json.loads(json.dumps(api.get_openapi_schema(path_prefix="")))
    validate(made)
    return made


def asked(made: Any, number: int = 0, method: str = "get") -> Any:
    return made["paths"][f"/{number}"][method].get("security")


def test_an_operation_asks_for_the_scopes_of_its_rule(guard: Guard, issuer: Issuer) -> None:
    made = document(guard, guard.requires(scope("orders:read", "orders:write")))
    assert asked(made) == [{"oauth2": ["orders:read", "orders:write"]}]
    assert list(made["components"]["securitySchemes"]) == ["oauth2"]
    flow = made["components"]["securitySchemes"]["oauth2"]["flows"]["authorizationCode"]
    assert flow["authorizationUrl"] == issuer.authorization_endpoint
    assert flow["tokenUrl"] == issuer.token_endpoint
    assert flow["scopes"] == {"orders:read": "", "orders:write": ""}


def test_alternatives_other_ways_and_what_is_optional_are_each_written(guard: Guard) -> None:
    made = document(
        guard,
        guard.requires(scope("a") | scope("b") & role("admin")),
        guard.requires(),
        guard.optional(),
        [guard.requires(scope("a")), Basic()],
        None,
        Basic(),
    )
    assert [asked(made, number) for number in range(6)] == [
        [{"oauth2": ["a"]}, {"oauth2": ["b"]}],
        [{"oauth2": []}],
        [{}, {"oauth2": []}],
        [{"Basic": []}, {"oauth2": ["a"]}],
        None,
        [{"Basic": []}],
    ]
    assert made["components"]["securitySchemes"].keys() == {"oauth2", "Basic"}


def test_an_operation_may_answer_what_the_guard_answers(guard: Guard, issuer: Issuer) -> None:
    made = document(guard, guard.requires(scope("a")), guard.requires(), None)
    answers = [made["paths"][f"/{number}"]["get"]["responses"] for number in range(3)]
    assert [list(one) for one in answers] == [["200", "401", "403", "503"], ["200", "401", "503"], ["200"]]
    assert answers[0]["403"] == {"$ref": "#/components/responses/Forbidden"}
    assert made["components"]["responses"].keys() == {"Unauthorized", "Forbidden", "ServiceUnavailable"}
    given = Guard(issuer.resource_server(keys=issuer.jwks()))
    made = document(given, given.requires())
    assert list(made["paths"]["/0"]["get"]["responses"]) == ["200", "401"]


class Problem(Schema):
    words: str


def test_what_an_operation_says_of_its_answers_stays(guard: Guard) -> None:
    api = guard.install(NinjaAPI())
    api.get("0", auth=guard.requires(scope("a")), response={200: Problem, 403: Problem})(operation)
    responses = read(api)["paths"]["/0"]["get"]["responses"]
    assert "content" in responses["403"]
    assert list(responses) == ["200", "403", "401", "503"]


def test_an_operation_names_its_roles_and_the_body_of_its_refusals(guard: Guard) -> None:
    made = document(guard, guard.requires(role("admin")))
    assert made["paths"]["/0"]["get"]["description"] == "Needs the role `admin`."
    assert "schema" in made["components"]["responses"]["Forbidden"]["content"]["application/json"]


def test_an_operation_of_two_methods_is_described_once_for_both(guard: Guard) -> None:
    api = guard.install(NinjaAPI())
    api.api_operation(["GET", "POST"], "0", auth=guard.requires(scope("a")))(operation)
    made = json.loads(json.dumps(api.get_openapi_schema(path_prefix="")))  # Ninja gives both the same id
    assert [asked(made, method=method) for method in ("get", "post")] == [[{"oauth2": ["a"]}]] * 2


def test_a_rule_of_the_whole_api_stands_at_each_operation(guard: Guard) -> None:
    api = guard.install(NinjaAPI(auth=guard.requires(scope("a"))))
    api.get("0")(operation)
    assert asked(read(api)) == [{"oauth2": ["a"]}]


def test_each_guard_of_an_api_is_described_for_itself(issuer: Issuer) -> None:
    other = Issuer("https://other.test")
    one, another = Guard(issuer.resource_server()), Guard(other.resource_server())
    api = another.install(one.install(NinjaAPI()))
    api.get("0", auth=one.requires(scope("a")), operation_id="a")(operation)
    api.get("1", auth=another.requires(scope("b")), operation_id="b")(operation)
    made = read(api)
    assert [asked(made), asked(made, 1)] == [[{"oauth2": ["a"]}], [{"oauth2_2": ["b"]}]]
    schemes = made["components"]["securitySchemes"]
    described = [schemes[name]["description"] for name in ("oauth2", "oauth2_2")]
    assert described == [f"A token of {one.url}" for one in (issuer, other)]


def test_each_provider_has_a_scheme(issuer: Issuer) -> None:
    other = Issuer("https://other.test")
    providers = [one.provider(name=name) for name, one in (("staff", issuer), ("partners", other))]
    guard = Guard(ResourceServer(*providers, clock=issuer.clock))
    assert asked(document(guard, guard.requires(scope("a")))) == [{"staff": ["a"]}, {"partners": ["a"]}]


def test_where_nothing_is_known_of_the_issuer_a_bearer_token_is_written() -> None:
    issuer = Issuer("https://silent.test")
    guard = Guard(issuer.resource_server())
    with issuer.outage():
        made = document(guard, guard.requires(scope("a")))
    assert made["components"]["securitySchemes"]["oauth2"]["scheme"] == "bearer"
    assert asked(made) == [{"oauth2": ["a"]}]


def test_an_api_that_is_not_installed_has_a_document_all_the_same(guard: Guard) -> None:
    api = NinjaAPI()
    api.get("0", auth=guard.requires(scope("a")))(operation)
    made = read(api)
    ((name, scopes),) = asked(made)[0].items()
    assert (scopes, made["components"]["securitySchemes"][name]["scheme"]) == ([], "bearer")


def test_the_document_is_served_by_ninja(guard: Guard) -> None:
    api = guard.install(NinjaAPI())
    api.get("0", auth=guard.requires(scope("a")))(operation)
    answer = ask_wsgi(site([path("", api.urls)]), Request(path="/openapi.json"))[0]
    assert asked(answer.json) == [{"oauth2": ["a"]}]


def test_what_binds_a_token_is_an_alternative(issuer: Issuer) -> None:
    source = ClientCertificate.from_proxy("nginx", peers="10.0.0.5")
    provider = issuer.provider(keys=issuer.jwks())
    server = ResourceServer(provider, certificate=source, dpop=DPoP(), resource="https://api.test")
    guard = Guard(server)
    made = document(guard, guard.requires(scope("a")))
    # Where only HTTP Bearer is known of a provider, DPoP takes its place: a request has one `Authorization`.
    assert asked(made) == [
        {"oauth2": ["a"]},
        {"oauth2": ["a"], "mutualTLS": []},
        {"DPoP": []},
        {"mutualTLS": [], "DPoP": []},
    ]
    assert {"mutualTLS", "DPoP"} <= made["components"]["securitySchemes"].keys()
    assert list(made["paths"]["/0"]["get"]["responses"]) == ["200", "401", "403", "429", "503"]
