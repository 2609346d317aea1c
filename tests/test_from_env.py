"""Providers and servers as the environment of a container describes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bearerguard import (
    RFC9068,
    ConfigurationError,
    Cookie,
    Header,
    Provider,
    RemoteKeys,
    ResourceServer,
    SecurityWarning,
)

ISSUER = "https://id.shop.test"
API = "https://api.example"
SECRET = "hunter2-is-a-secret"


def environ(**variables: str) -> dict[str, str]:
    return {"PATH": "/bin", **{f"BEARERGUARD_{name}": value for name, value in variables.items()}}


def provider(**variables: str) -> Provider:
    return Provider.from_env(environ=environ(**variables))


def refused(**variables: str) -> str:
    with pytest.raises(ConfigurationError) as problem:
        ResourceServer.from_env(environ=environ(**variables))
    return str(problem.value)


def test_issuer_and_audience_are_enough() -> None:
    built = provider(ISSUER=ISSUER, AUDIENCE=API)
    assert (built.issuer, built.audiences) == (ISSUER, (API,))


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_ISSUER", ISSUER)
    monkeypatch.setenv("SHOP_AUDIENCE", API)
    monkeypatch.setenv("SHOP_RESOURCE", "https://api.example/v1")
    assert Provider.from_env("SHOP_").issuer == ISSUER
    assert ResourceServer.from_env("SHOP_").resource == "https://api.example/v1"
    assert ResourceServer.from_env("SHOP_", resource=API).resource == API


def test_options_are_written_as_text() -> None:
    built = provider(
        ISSUER="https://id.shop.test/{tid}",
        AUDIENCE=f"{API}, https://other.example",
        KEYS="https://login.example/jwks",
        TENANTS="a,b",
        LEEWAY="30",
        PROFILE="RFC9068",
        ALGORITHMS="RS256,ES256",
        REQUIRED_CLAIMS='{"token_use": "access"}',
        ROLES_CLAIM='["a.b", "roles"]',
        ROLES_ARE_KEYS="true",
        CLIENT_CLAIM="cid",
        NAME="login",
    )
    assert built.audiences == (API, "https://other.example")
    assert (built.tenants, built.leeway, built.profile) == (("a", "b"), 30, RFC9068)
    assert built.algorithms == {"RS256", "ES256"}
    assert built.required_claims == {"token_use": "access"}
    assert (built.name, built.roles_claim) == ("login", ("a.b", "roles"))
    assert (built.roles_are_keys, built.client_claim) == (True, "cid")


def test_keys_may_be_fetched_elsewhere_and_over_http_where_that_is_said() -> None:
    built = provider(
        ISSUER=ISSUER, AUDIENCE=API, METADATA_URL="https://inside.example/.well-known/openid-configuration"
    )
    assert built.remote_keys is not None
    assert built.remote_keys.metadata_url == "https://inside.example/.well-known/openid-configuration"
    with pytest.warns(SecurityWarning):
        built = provider(
            ISSUER=ISSUER, AUDIENCE=API, KEYS="http://keycloak:8080/jwks", DANGEROUSLY_ALLOW_HTTP="true"
        )
    assert built.remote_keys is not None
    assert built.remote_keys.dangerously_allow_http


def test_a_provider_may_be_asked_about_tokens() -> None:
    built = provider(
        ISSUER=ISSUER,
        AUDIENCE=API,
        INTROSPECTION_CLIENT_ID="orders-api",
        INTROSPECTION_CLIENT_SECRET=SECRET,
        INTROSPECTION_URL="https://id.shop.test/introspect",
        INTROSPECTION_REVOCATION_BUDGET="5",
        INTROSPECTION_FORM_ENCODED="false",
        INTROSPECTION_JWTS="ask",
    )
    asked = built.introspection
    assert asked is not None
    assert (asked.client_id, asked.client_secret, asked.jwts) == ("orders-api", SECRET, "ask")
    assert (asked.url, asked.revocation_budget) == ("https://id.shop.test/introspect", 5)
    assert not asked.form_encoded
    written = [
        {
            "issuer": ISSUER,
            "audience": API,
            "introspection_client_id": "a",
            "introspection_client_secret": SECRET,
        }
    ]
    assert provider(PROVIDERS=json.dumps(written)).introspection is not None


def test_tokens_may_come_elsewhere() -> None:
    built = provider(
        ISSUER=ISSUER, AUDIENCE=API, SOURCE_HEADER="X-Token", SOURCE_PEERS="10.0.0.1, 10.1.0.0/16"
    )
    assert isinstance(built.source, Header)
    assert built.source.name == "x-token"
    assert built.source.peers is not None
    assert provider(ISSUER=ISSUER, AUDIENCE=API, SOURCE_COOKIE="session").source == Cookie("session")


def test_a_preset_takes_its_arguments_by_name() -> None:
    tenant, client = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"
    built = provider(PRESET="entra", TENANT_ID=tenant, AUDIENCE=client, LEEWAY="7")
    assert (built.issuer, built.leeway) == (f"https://login.microsoftonline.com/{tenant}/v2.0", 7)
    assert provider(PRESET="entra", TENANTS=tenant, AUDIENCE=client).tenants == (tenant,)
    github = provider(
        PRESET="github_actions", AUDIENCE=API, REPOSITORY="shop/a,shop/b", ENVIRONMENT="production"
    )
    assert github.required_values["repository"] == ("shop/a", "shop/b")


@pytest.mark.parametrize("option", ["dangerously_accept_any_audience", "dangerously_accept_any_issuer"])
def test_no_text_opens_anything(option: str) -> None:
    given: dict[str, Any] = {option: "false"}
    with pytest.raises(ConfigurationError, match=f"{option} is a str: write True or False"):
        Provider(ISSUER, audience=None, **given)
    with pytest.raises(ConfigurationError, match="dangerously_allow_http is a str"):
        RemoteKeys(dangerously_allow_http="false")  # type: ignore[arg-type]  # as a program reads it from somewhere


def test_several_are_numbered_or_written_as_json() -> None:
    numbered = environ(**{"1_ISSUER": ISSUER, "1_AUDIENCE": API, "2_PRESET": "okta"})
    numbered |= environ(**{"2_DOMAIN": "shop.okta.com", "2_AUDIENCE": "api://default"})
    written: list[dict[str, Any]] = [
        {"issuer": ISSUER, "audience": API, "leeway": 5},
        {"preset": "okta", "domain": "shop.okta.com", "audience": ["api://default"]},
    ]
    for given in (numbered, environ(PROVIDERS=json.dumps(written))):
        server = ResourceServer.from_env(environ=given)
        assert [one.issuer for one in server.providers] == [ISSUER, "https://shop.okta.com/oauth2/default"]
        with pytest.raises(ConfigurationError, match=r"2 providers: write ResourceServer\.from_env"):
            Provider.from_env(environ=given)


@pytest.mark.parametrize(
    "name",
    [
        "SERVICE_HOST",
        "SERVICE_PORT",
        "SERVICE_PORT_HTTP",
        "PORT",
        "PORT_80_TCP",
        "PORT_80_TCP_PROTO",
        "PORT_80_TCP_PORT",
        "PORT_80_TCP_ADDR",
        "API_SERVICE_HOST",
        "API_PORT_8080_UDP_ADDR",
    ],
)
def test_what_kubernetes_says_of_services_is_passed_over(name: str) -> None:
    assert provider(ISSUER=ISSUER, AUDIENCE=API, **{name: "tcp://10.0.0.1:80"}).issuer == ISSUER


@pytest.mark.parametrize(
    ("variables", "instead"),
    [
        ({}, "set BEARERGUARD_ISSUER and BEARERGUARD_AUDIENCE"),
        ({"RESOURCE": API}, "set BEARERGUARD_ISSUER and BEARERGUARD_AUDIENCE"),
        ({"ISSUER": ISSUER}, "BEARERGUARD_AUDIENCE is missing: write what its tokens have in 'aud'"),
        # Other than as a value that a hint happens to share a name with.
        ({"ISSUER": "https://shop.example", "AUDIENCE": ""}, "BEARERGUARD_AUDIENCE is missing"),
        (
            {"AUDIENCE": "https://api.example"},
            "BEARERGUARD_ISSUER is missing: write what its tokens have in 'iss'",
        ),
        (
            {"ISSUER": f"'{ISSUER}'", "AUDIENCE": API},
            "BEARERGUARD_...: issuer is that of BEARERGUARD_ISSUER, with",
        ),
        ({"1_ISSUER": ISSUER}, "BEARERGUARD_1_AUDIENCE is missing"),
        ({"TRUST_DOMAIN": "shop.example"}, "BEARERGUARD_AUDIENCE is missing"),
        (
            {"ISSUR": ISSUER, "AUDIENCE": API},
            "BEARERGUARD_ISSUR is not known: did you mean BEARERGUARD_ISSUER?",
        ),
        ({"ISSUER": ISSUER, "AUDIENCE": API, "XYZZY": "1"}, "XYZZY is not known: leave it out"),
        ({"ISSUER": ISSUER, "AUDIENCE": API, "INTROSPECTION": "1"}, "BEARERGUARD_INTROSPECTION is not known"),
        (
            {"ISSUER": ISSUER, "AUDIENCE": API, "INTROSPECTION_SECRET": "1"},
            "INTROSPECTION_SECRET is not known: did you mean BEARERGUARD_INTROSPECTION_CLIENT_SECRET?",
        ),
        (
            {"ISSUER": ISSUER, "AUDIENCE": API, "INTROSPECTION_HTTP_OPTIONS": "{}"},
            "INTROSPECTION_HTTP_OPTIONS is not known",
        ),
        (
            {"ISSUER": ISSUER, "AUDIENCE": API, "INTROSPECTION_CLIENT_SECRET": SECRET},
            "introspection_client_id is missing",
        ),
        ({"ISSUER": ISSUER, "AUDIENCE": API, "INTROSPECTION_SIGNED": "yes"}, "neither 'true' nor 'false'"),
        (
            {"ISSUER": ISSUER, "AUDIENCE": API, "INTROSPECTION_REVOCATION_BUDGET": "soon"},
            "REVOCATION_BUDGET is not a number of seconds",
        ),
        (
            {"ISSUER": ISSUER, "AUDIENCE": API, "SOURCE_HEADER": "X-Token", "SOURCE_COOKIE": "token"},
            "a source is source_header",
        ),
        ({"ISSUER": ISSUER, "AUDIENCE": API, "SOURCE_PEERS": "10.0.0.1"}, "a source is source_header"),
        ({"ISSUER": ISSUER, "AUDIENCE": API, "SOURCE_HEADER": "Host"}, "it names the server"),
        ({"1_ISSUER": ISSUER, "1_AUDENCE": API}, "did you mean BEARERGUARD_1_AUDIENCE?"),
        ({"1_ISSUER": ISSUER, "1_AUDIENCE": API, "ISSUER": ISSUER}, "in one of these ways"),
        ({"PROVIDERS": "[]", "ISSUER": ISSUER}, "in one of these ways"),
        ({"PROVIDERS": "[]"}, "not a JSON array of objects"),
        ({"PROVIDERS": "{"}, "not a JSON array of objects"),
        ({"PROVIDERS": '["a"]'}, "not a JSON array of objects"),
        (
            {"PROVIDERS": '[{"issuer": "x", "audence": "y"}]'},
            "did you mean BEARERGUARD_PROVIDERS[0].audience?",
        ),
        ({"PROVIDERS": '[{"issuer": "x", "audience": "y", "leeway": []}]'}, "leeway is a list"),
        # In JSON a switch may be written as text, and any text would count as yes.
        *(
            (
                {"PROVIDERS": json.dumps([{"issuer": ISSUER, name: "false"}])},
                f"{name} is neither true nor false",
            )
            for name in ("dangerously_accept_any_audience", "dangerously_allow_http", "roles_are_keys")
        ),
        ({"PRESET": "auth", "DOMAIN": "a.example"}, "write 'auth0'"),
        ({"PRESET": "xyzzy"}, "write one of auth0"),
        ({"PRESET": "entra", "AUDIENCE": API}, "BEARERGUARD_TENANT_ID is missing"),
        (
            {"PRESET": "entra", "TENANT": "a", "AUDIENCE": API},
            "BEARERGUARD_TENANT is not known: did you mean",
        ),
        ({"ISSUER": ISSUER, "AUDIENCE": API, "ROLES_ARE_KEYS": "True"}, "neither 'true' nor 'false'"),
        (
            {"ISSUER": ISSUER, "AUDIENCE": API, "DANGEROUSLY_ACCEPT_ANY_AUDIENCE": "1"},
            "neither 'true' nor 'false'",
        ),
        ({"ISSUER": ISSUER, "AUDIENCE": API, "LEEWAY": "soon"}, "BEARERGUARD_LEEWAY is not a number"),
        (
            {"ISSUER": ISSUER, "AUDIENCE": API, "REQUIRED_CLAIMS": "a=b"},
            "BEARERGUARD_REQUIRED_CLAIMS is not JSON",
        ),
        ({"ISSUER": ISSUER, "AUDIENCE": API, "PROFILE": "jwt"}, "BEARERGUARD_PROFILE is not one of JWT"),
        # What a preset says of a usual mistake is said here too, with names in the place of values.
        ({"PRESET": "github_actions", "AUDIENCE": API}, "every one on GitHub can get a token"),
        (
            {"PRESET": "entra", "TENANT_ID": "common", "AUDIENCE": "66666666-7777-8888-9999-000000000000"},
            "tenant_id is that of BEARERGUARD_TENANT_ID, which stands for everybody's tenants",
        ),
        (
            {"PROVIDERS": '[{"preset": "github_actions", "audience": "x", "repository": "shop/*"}]'},
            "repository is that of BEARERGUARD_PROVIDERS[0].repository: it is compared as it is",
        ),
        # Of two that mean the same, neither is chosen.
        ({"1_ISSUER": ISSUER, "1_AUDIENCE": API, "01_AUDIENCE": "b"}, "01_AUDIENCE stands beside"),
        ({"ISSUER": ISSUER, "AUDIENCE": API, "audience": "b"}, "BEARERGUARD_AUDIENCE is there twice"),
        ({"ISSUER": ISSUER, "AUDIENCE": API, "audience": API}, "BEARERGUARD_AUDIENCE is there twice"),
        (
            {"PROVIDERS": '[{"issuer": "https://a.example", "audience": "a", "audience": "b"}]'},
            "BEARERGUARD_PROVIDERS has a name twice in one object",
        ),
        (
            {"ISSUER": ISSUER, "AUDIENCE": API, "REQUIRED_CLAIMS": '{"a": "1", "a": "2"}'},
            "BEARERGUARD_REQUIRED_CLAIMS has a name twice in one object",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_write(variables: dict[str, str], instead: str) -> None:
    message = refused(**variables)
    assert instead in message
    assert message.endswith((".", "?"))


@pytest.mark.parametrize(
    "variables",
    [
        {"ISSUER": f"https://user:{SECRET}@login.example", "AUDIENCE": API},
        {"ISSUER": SECRET, "AUDIENCE": API},
        {"ISSUER": f" {SECRET}", "AUDIENCE": API, "KEYS": "https://a.example"},
        {"ISSUER": ISSUER, "AUDIENCE": API, "KEYS": SECRET},
        {"ISSUER": ISSUER, "AUDIENCE": API, "KEYS": f"https://{SECRET}@a.example"},
        {"ISSUER": ISSUER, "AUDIENCE": API, "ALGORITHMS": SECRET},
        {"ISSUER": ISSUER, "AUDIENCE": API, "ROLES_ARE_KEYS": SECRET},
        {"ISSUER": ISSUER, "AUDIENCE": API, "LEEWAY": SECRET},
        {"ISSUER": ISSUER, "AUDIENCE": API, "PROFILE": SECRET},
        {"PRESET": SECRET},
        {"ISSUER": ISSUER, "AUDIENCE": API, "INTROSPECTION_CLIENT_ID": "a", "INTROSPECTION_METHOD": SECRET},
        {"ISSUER": ISSUER, "AUDIENCE": API, "INTROSPECTION_CLIENT_ID": "a", "INTROSPECTION_URL": SECRET},
        {"ISSUER": ISSUER, "AUDIENCE": API, "INTROSPECTION_CLIENT_SECRET": SECRET},
        {"ISSUER": ISSUER, "AUDIENCE": API, "SOURCE_HEADER": f"{SECRET} x"},
        {"ISSUER": ISSUER, "AUDIENCE": API, "SOURCE_HEADER": "x", "SOURCE_PEERS": SECRET},
        {"PRESET": "auth0", "DOMAIN": SECRET, "AUDIENCE": API},
        {"PRESET": "auth0", "DOMAIN": f"https://a.example/{SECRET}", "AUDIENCE": API},
        {"PRESET": "entra", "TENANT_ID": SECRET.upper(), "AUDIENCE": API},
        {"PRESET": "google", "CLIENT_ID": f"x {SECRET}"},
        {"PROVIDERS": f'{{"a": "{SECRET}"'},
        {"PROVIDERS": f'[{{"preset": "okta", "domain": "a.okta.com", "server": "{SECRET}"}}]'},
        {"PROVIDERS": f'[{{"issuer": ["{SECRET}"], "audience": "x"}}]'},
        {"PROVIDERS": f'[{{"preset": ["{SECRET}"], "audience": "x"}}]'},
        {"PROVIDERS": f'[{{"issuer": "x", "audience": "x", "required_claims": ["{SECRET}"]}}]'},
    ],
)
def test_no_error_shows_a_value(variables: dict[str, str]) -> None:
    message = refused(**variables)
    assert SECRET not in message.lower()
    assert message.startswith("BEARERGUARD_")


def test_an_error_that_would_show_a_value_names_its_variable() -> None:
    message = refused(ISSUER=SECRET, AUDIENCE=API)
    assert message == (
        "BEARERGUARD_ISSUER cannot be used; the reason shows what it holds: to see it, give that to Provider."
    )


def test_a_resource_that_is_not_a_url_is_refused_without_being_shown() -> None:
    environ = {"BEARERGUARD_ISSUER": ISSUER, "BEARERGUARD_AUDIENCE": API, "BEARERGUARD_RESOURCE": SECRET}
    with pytest.raises(ConfigurationError, match="BEARERGUARD_RESOURCE is not the URL of an API") as problem:
        ResourceServer.from_env(environ=environ)
    assert SECRET not in str(problem.value)
