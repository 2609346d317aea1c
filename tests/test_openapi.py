"""The security objects of OpenAPI: their shape, and that documents with them are valid."""

from __future__ import annotations

import json
from typing import Any

import flask
import flask_restx
import pytest
from openapi_spec_validator import validate
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

import bearerguard
from bearerguard import Cookie, DPoP, Header, Provider, openapi, scope
from bearerguard.openapi.document import requirements

SCOPES = {"orders:read": "Read orders", "orders:write": "Change orders"}
AUTHORIZE, TOKEN = "https://login.example/authorize", "https://login.example/token"

SCHEMES = {
    "code": openapi.oauth2_scheme(SCOPES, authorization_url=AUTHORIZE, token_url=TOKEN, refresh_url=TOKEN),
    "credentials": openapi.oauth2_scheme(SCOPES, token_url=TOKEN),
    "implicit": openapi.oauth2_scheme(SCOPES, authorization_url=AUTHORIZE),
    "both": openapi.oauth2_scheme(
        SCOPES, authorization_url=AUTHORIZE, token_url=TOKEN, flows=("authorizationCode", "clientCredentials")
    ),
    "openid": openapi.openid_connect_scheme("https://login.example/"),
    "bearer": openapi.bearer_scheme(),
    "dpop": openapi.dpop_scheme(),
}


def as_sent(document: dict[str, Any]) -> dict[str, Any]:
    """What a client reads: JSON knows no tuples."""
    sent: dict[str, Any] = json.loads(json.dumps(document))
    return sent


def swagger(*scopes: str) -> dict[str, Any]:
    operation = {"responses": {"200": {"description": "Done"}}, **bearerguard.method_authorizations(*scopes)}
    return as_sent(
        {
            "swagger": "2.0",
            "info": {"title": "Orders", "version": "1"},
            "paths": {"/orders": {"get": operation}},
            "securityDefinitions": bearerguard.authorizations(AUTHORIZE, SCOPES),
        }
    )


def openapi_3(version: str, requirement: dict[str, list[str]]) -> dict[str, Any]:
    operation = {"responses": {"200": {"description": "Done"}}, "security": [requirement]}
    return as_sent(
        {
            "openapi": version,
            "info": {"title": "Orders", "version": "1"},
            "paths": {"/orders": {"get": operation}},
            "components": {"securitySchemes": SCHEMES},
        }
    )


def test_the_security_definition_has_the_shape_that_programs_rely_on() -> None:
    assert bearerguard.authorizations("https://test_auth", scopes={"t,e-st.1": "one", "test2": "two"}) == {
        "oauth2": {
            "scopes": {"t,e-st.1": "one", "test2": "two"},
            "flow": "implicit",
            "authorizationUrl": "https://test_auth",
            "type": "oauth2",
        }
    }


def test_the_security_of_a_method_has_the_shape_that_programs_rely_on() -> None:
    assert bearerguard.method_authorizations("t,e-st.1", "test2") == {
        "security": [{"oauth2": ("t,e-st.1", "test2")}]
    }


def test_changing_the_scopes_later_does_not_change_a_definition() -> None:
    scopes = dict(SCOPES)
    definition, scheme = (
        openapi.authorizations(AUTHORIZE, scopes),
        openapi.oauth2_scheme(scopes, token_url=TOKEN),
    )
    scopes.clear()
    assert definition["oauth2"]["scopes"] == scheme["flows"]["clientCredentials"]["scopes"] == SCOPES


@pytest.mark.parametrize("scopes", [(), ("orders:read",), ("orders:read", "orders:write")], ids=len)
def test_a_document_of_openapi_2_with_them_is_valid(scopes: tuple[str, ...]) -> None:
    validate(swagger(*scopes))


def test_the_validator_would_notice_a_definition_without_its_address() -> None:
    document = swagger("orders:read")
    del document["securityDefinitions"]["oauth2"]["authorizationUrl"]
    with pytest.raises(OpenAPIValidationError):
        validate(document)


def test_flask_restx_publishes_them_in_a_valid_document() -> None:
    app = flask.Flask(__name__)
    api = flask_restx.Api(app, authorizations=bearerguard.authorizations(AUTHORIZE, SCOPES))

    @api.route("/orders")
    class Orders(flask_restx.Resource):  # type: ignore[misc]
        @api.doc(**bearerguard.method_authorizations("orders:read"))  # type: ignore[untyped-decorator]
        def get(self) -> str:
            return ""

    document = app.test_client().get("/swagger.json").get_json()
    assert document["securityDefinitions"] == bearerguard.authorizations(AUTHORIZE, SCOPES)
    assert document["paths"]["/orders"]["get"]["security"] == [{"oauth2": ["orders:read"]}]
    validate(document)


@pytest.mark.parametrize("version", ["3.0.4", "3.1.2", "3.2.0"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_document_of_openapi_3_with_them_is_valid(version: str, scheme: str) -> None:
    scopes = () if scheme in ("bearer", "dpop") else ("orders:read",)
    validate(openapi_3(version, openapi.security_requirement(scheme, *scopes)))


@pytest.mark.parametrize("version", ["3.1.2", "3.2.0"])
def test_a_client_certificate_stands_beside_its_token(version: str) -> None:
    document = openapi_3(version, {**openapi.security_requirement("code", "orders:read"), "certificate": []})
    schemes = {**SCHEMES, "certificate": openapi.mutual_tls_scheme()}
    validate({**document, "components": {"securitySchemes": schemes}})


@pytest.mark.parametrize("version", ["3.0.4", "3.1.2", "3.2.0"])
@pytest.mark.parametrize("flow", ["authorizationCode", "clientCredentials"])
def test_the_validator_would_notice_a_flow_without_its_address(version: str, flow: str) -> None:
    document = openapi_3(version, openapi.security_requirement("both"))
    del document["components"]["securitySchemes"]["both"]["flows"][flow]["tokenUrl"]
    with pytest.raises(OpenAPIValidationError):
        validate(document)


@pytest.mark.parametrize(
    ("scheme", "flows"),
    [
        ("code", {"authorizationCode": {"authorizationUrl", "tokenUrl", "refreshUrl", "scopes"}}),
        ("credentials", {"clientCredentials": {"tokenUrl", "scopes"}}),
        ("implicit", {"implicit": {"authorizationUrl", "scopes"}}),
        (
            "both",
            {
                "authorizationCode": {"authorizationUrl", "tokenUrl", "scopes"},
                "clientCredentials": {"tokenUrl", "scopes"},
            },
        ),
    ],
)
def test_the_flow_is_the_one_that_the_addresses_are_for(scheme: str, flows: dict[str, set[str]]) -> None:
    assert {flow: set(described) for flow, described in SCHEMES[scheme]["flows"].items()} == flows


def test_openid_connect_points_to_the_metadata_of_the_issuer() -> None:
    scheme = openapi.openid_connect_scheme("https://login.example/shop/")
    assert scheme == {
        "type": "openIdConnect",
        "openIdConnectUrl": "https://login.example/shop/.well-known/openid-configuration",
    }


@pytest.mark.parametrize(
    ("addresses", "missing"),
    [
        ({}, "clientCredentials has no tokenUrl"),
        ({"token_url": ""}, "clientCredentials has no tokenUrl"),
        (
            {"authorization_url": AUTHORIZE, "flows": ["authorizationCode"]},
            "authorizationCode has no tokenUrl",
        ),
        ({"flows": ["authorizationCode"]}, "no authorizationUrl and no tokenUrl"),
    ],
    ids=["nothing", "empty", "half", "neither"],
)
def test_a_flow_without_its_address_is_a_configuration_error(addresses: dict[str, Any], missing: str) -> None:
    with pytest.raises(bearerguard.ConfigurationError, match=missing):
        openapi.oauth2_scheme(SCOPES, **addresses)


@pytest.mark.parametrize(
    ("source", "place", "name"),
    [(Header("X-Token"), "header", "x-token"), (Cookie("Token"), "cookie", "Token")],
)
def test_a_token_that_comes_elsewhere_is_described_where_it_comes(source: Any, place: str, name: str) -> None:
    provider = Provider("https://login.example", audience="https://api.example", source=source)
    scheme = openapi.provider_scheme(provider, {}, {})
    assert scheme["type"] == "apiKey"
    assert (scheme["in"], scheme["name"]) == (place, name)


@pytest.mark.parametrize("required", [False, True])
def test_a_token_that_is_bound_to_a_key_stands_beside_where_it_is_got(required: bool) -> None:
    rule, dpop = scope("a") | scope("b"), DPoP(required=required)
    ways = requirements({"oauth2": SCHEMES["code"]}, rule, dpop=dpop)
    bearer = [] if required else [{"oauth2": ["a"]}, {"oauth2": ["b"]}]
    assert ways == [*bearer, {"oauth2": ["a"], "DPoP": []}, {"oauth2": ["b"], "DPoP": []}]
    optional = requirements({"oauth2": SCHEMES["code"]}, None, dpop=dpop)
    assert optional == [{}, *([] if required else [{"oauth2": []}]), {"oauth2": [], "DPoP": []}]
