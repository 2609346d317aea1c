"""What drf-spectacular writes of a guard: schemes, scopes, alternatives, refusals. A validator reads it."""

from __future__ import annotations

import sys
from typing import Any

import django
import pytest
from django.http import HttpRequest
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from openapi_spec_validator import validate
from rest_framework.authentication import BasicAuthentication
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.response import Response
from rest_framework.serializers import CharField, Serializer
from rest_framework.views import APIView

from bearerguard import ClientCertificate, DPoP, Provider, ResourceServer, role, scope
from bearerguard.drf import Guard
from bearerguard.testing import Issuer

django.setup()  # as a site does before it makes its application

Generator: Any = SchemaGenerator  # which has no types


class Order(Serializer):  # type: ignore[misc]  # REST framework comes without types
    article = CharField()


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return Guard(issuer.resource_server())


def document(*views: Any, version: str = "3.1.0") -> Any:
    """The document of these views, at `/0`, `/1` and so on."""
    routes = [path(str(number), one.as_view()) for number, one in enumerate(views)]
    patches: Any = spectacular_settings  # whose methods have no types
    patches.apply_patches({"OAS_VERSION": version})
    try:
        made = Generator(patterns=routes).get_schema(request=None, public=True)
    finally:
        patches.clear_patches()
    validate(made)
    return made


def view(guard: Guard, *permissions: Any, authentication: Any = None, **members: Any) -> Any:
    def get(self: Any, request: Any) -> Response:
        return Response({})

    members = {
        "get": get,
        "authentication_classes": authentication or [guard.authentication()],
        "permission_classes": permissions,
        "serializer_class": Order,
        **members,
    }
    return type("Orders", (APIView,), members)


def asked(made: Any, number: int = 0, method: str = "get") -> Any:
    return made["paths"][f"/{number}"][method].get("security")


def test_an_operation_asks_for_the_scopes_of_its_rule(guard: Guard, issuer: Issuer) -> None:
    made = document(view(guard, guard.requires(scope("orders:read", "orders:write"))))
    assert asked(made) == [{"oauth2": ["orders:read", "orders:write"]}]
    scheme = made["components"]["securitySchemes"]["oauth2"]
    flow = scheme["flows"]["authorizationCode"]
    assert (flow["authorizationUrl"], flow["tokenUrl"]) == (
        issuer.authorization_endpoint,
        issuer.token_endpoint,
    )
    assert flow["scopes"] == {"orders:read": "", "orders:write": ""}


def test_alternatives_and_combined_permissions_are_each_written(guard: Guard) -> None:
    read, write = guard.requires(scope("orders:read")), guard.requires(scope("orders:write"))
    made = document(
        view(guard, read | write),
        view(guard, read, write),
        view(guard, guard.requires(role("admin"))),
        view(guard, guard.requires()),
        view(guard, guard.optional()),
        view(guard, IsAuthenticated),
        view(guard),
        view(guard, AllowAny),
    )
    assert [asked(made, number) for number in range(8)] == [
        [{"oauth2": ["orders:read"]}, {"oauth2": ["orders:write"]}],
        [{"oauth2": ["orders:read", "orders:write"]}],
        [{"oauth2": []}],
        [{"oauth2": []}],
        [{}, {"oauth2": []}],
        [{"oauth2": []}],
        [{}, {"oauth2": []}],
        [{"oauth2": []}, {}],
    ]


class Staff(BasePermission):  # type: ignore[misc]  # REST framework comes without types
    pass


def test_where_others_may_let_in_too_the_token_is_written_without_the_rule(guard: Guard) -> None:
    made = document(view(guard, guard.requires(scope("orders:read")) | Staff))
    assert asked(made) == [{"oauth2": []}]


def test_beside_other_authentication_each_way_is_written(guard: Guard) -> None:
    both = [guard.authentication(), BasicAuthentication]
    made = document(view(guard, guard.requires(scope("a")), authentication=both))
    assert asked(made) == [{"oauth2": ["a"]}, {"basicAuth": []}]


def test_an_operation_may_answer_what_the_guard_answers(guard: Guard, issuer: Issuer) -> None:
    made = document(
        view(guard, guard.requires(scope("a"))),
        view(guard, guard.requires()),
        view(guard, authentication=[BasicAuthentication]),
    )
    answers = [made["paths"][f"/{number}"]["get"]["responses"] for number in range(3)]
    assert [list(one) for one in answers] == [["200", "401", "403", "503"], ["200", "401", "503"], ["200"]]
    assert answers[0]["401"]["headers"].keys() == {"WWW-Authenticate"}
    assert answers[0]["503"]["headers"].keys() == {"WWW-Authenticate", "Retry-After"}
    given = Guard(issuer.resource_server(keys=issuer.jwks()))
    made = document(view(given, given.requires(scope("a"))))
    assert list(made["paths"]["/0"]["get"]["responses"]) == ["200", "401", "403"]


def test_what_a_view_says_of_its_answers_stays_and_each_method_has_its_own(guard: Guard) -> None:
    read, write = guard.requires(scope("a")), guard.requires(scope("b"))

    class Orders(view(guard)):  # type: ignore[misc]  # a class that is made here
        def get_permissions(self) -> Any:
            return [write()] if self.request.method == "POST" else [read()]

        @extend_schema(responses={200: Order, 403: Order})
        def get(self, request: Any) -> Response:
            return Response({})

        @extend_schema(responses=Order)
        def post(self, request: Any) -> Response:
            return Response({})

    made = document(Orders)
    operations = made["paths"]["/0"]
    assert [asked(made, method=method) for method in ("get", "post")] == [
        [{"oauth2": ["a"]}],
        [{"oauth2": ["b"]}],
    ]
    of_its_own = "#/components/schemas/Order"
    assert of_its_own in str(operations["get"]["responses"]["403"]["content"])
    assert of_its_own not in str(operations["post"]["responses"]["403"]["content"])
    assert list(operations["get"]["responses"]) == ["200", "403", "401", "503"]


def test_the_answer_403_names_the_roles_and_each_refusal_its_body(guard: Guard) -> None:
    made = document(view(guard, guard.requires(role("admin"))))
    answers = made["paths"]["/0"]["get"]["responses"]
    assert answers["403"]["description"].endswith("\n\nNeeds the role `admin`.")
    assert "Needs" not in answers["401"]["description"]
    assert "schema" in answers["401"]["content"]["application/json"]


def test_each_provider_has_a_scheme_and_each_server_has_its_own(issuer: Issuer) -> None:
    other, third = Issuer("https://other.test"), Issuer("https://third.test")
    providers = [one.provider(name=one.url) for one in (issuer, other)]
    both, own = Guard(ResourceServer(*providers, clock=issuer.clock)), Guard(third.resource_server())
    made = document(view(both, both.requires(scope("a"))), view(own, own.requires(scope("b"))))
    schemes = made["components"]["securitySchemes"]
    assert len(schemes) == 3
    first, second = (one.popitem()[0] for one in asked(made))
    ((third_name, scopes),) = asked(made, 1)[0].items()
    assert scopes == ["b"]
    described = [schemes[name]["description"] for name in (first, second, third_name)]
    assert described == [f"A token of {one.url}" for one in (issuer, other, third)]


def test_where_nothing_is_known_of_the_issuer_a_bearer_token_is_written() -> None:
    issuer = Issuer("https://silent.test")
    guard = Guard(issuer.resource_server())
    with issuer.outage():
        one = view(guard, guard.requires(scope("a")))
        made, strict = document(one), document(one, version="3.0.3")
    assert [scheme["type"] for scheme in made["components"]["securitySchemes"].values()] == ["http"]
    assert [*asked(made)[0].values(), *asked(strict)[0].values()] == [["a"], []]


def test_the_document_is_served_by_the_views_of_drf_spectacular(guard: Guard) -> None:
    from drf_spectacular.views import SpectacularAPIView

    served: Any = SpectacularAPIView.as_view(patterns=[path("0", view(guard, guard.requires()).as_view())])
    request = HttpRequest()
    request.method, request.META = "GET", {"SERVER_NAME": "api.test", "SERVER_PORT": "443"}
    assert "oauth2" in served(request).render().content.decode()


def test_without_drf_spectacular_a_guard_works_all_the_same(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "drf_spectacular", None)
    monkeypatch.delitem(sys.modules, "bearerguard.drf.spectacular", raising=False)
    guard = Guard(ResourceServer(Provider(issuer.url, audience="https://api.test")))
    assert guard.authentication()
    assert "bearerguard.drf.spectacular" not in sys.modules


def test_what_binds_a_token_is_an_alternative(issuer: Issuer) -> None:
    source = ClientCertificate.from_proxy("nginx", peers="10.0.0.5")
    provider = issuer.provider(keys=issuer.jwks())
    server = ResourceServer(provider, certificate=source, dpop=DPoP(), resource="https://api.test")
    guard = Guard(server)
    made = document(view(guard, guard.requires(scope("a"))))
    # Where only HTTP Bearer is known of a provider, DPoP takes its place: a request has one `Authorization`.
    assert asked(made) == [
        {"oauth2": ["a"]},
        {"oauth2": ["a"], "mutualTLS": []},
        {"DPoP": []},
        {"mutualTLS": [], "DPoP": []},
    ]
    assert {"mutualTLS", "DPoP"} <= made["components"]["securitySchemes"].keys()
    assert list(made["paths"]["/0"]["get"]["responses"]) == ["200", "401", "403", "429", "503"]
