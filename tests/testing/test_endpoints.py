"""What an issuer answers, as the function that it is."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from bearerguard.testing.authorization_code import AuthorizationCodeGrant
from bearerguard.testing.endpoints.endpoint import State
from bearerguard.testing.endpoints.table import respond
from bearerguard.testing.exchange import Request, Response

STATE = State(
    issuer="https://issuer.test",
    audiences=("https://api.test", "https://other.test"),
    algorithms=("RS256", "ES256"),
    key_set={"keys": [{"kty": "OKP"}]},
    cache_control="public, max-age=600",
    clients={"a client": "s:cret+"},
    issue=lambda client_id, scope, _: {"access_token": f"token of {client_id} for {scope}"},
    authorization_code=AuthorizationCodeGrant((), lambda: 0.0),
    issue_login=lambda login, _: {"access_token": f"token of {login.persona.sub}"},
    key_of_proof=lambda proof: proof,
    client_of_assertion=lambda assertion: f"who signed {assertion}",
    introspect=lambda token: {"active": False},
    sign_answer=lambda answer, client_id: f"{answer} for {client_id}",
)


def get(path: str, state: State = STATE, known: str | None = None) -> Response:
    return respond(Request("GET", path, {} if known is None else {"if-none-match": known}), state)


def content(response: Response) -> Any:
    return json.loads(response.body)


def post_form(form: dict[str, str] | list[tuple[str, str]], authorization: str | None = None) -> Response:
    headers = {"content-type": "application/x-www-form-urlencoded;charset=UTF-8"}
    if authorization is not None:
        headers["authorization"] = authorization
    return respond(Request("POST", "/token", headers, urlencode(form).encode()), STATE)


def basic(client_id: str, secret: str) -> str:
    return f"Basic {base64.b64encode(f'{client_id}:{secret}'.encode()).decode()}"


GOOD_BASIC = basic("a+client", "s%3Acret%2B")
GOOD_FORM = {"grant_type": "client_credentials", "client_id": "a client", "client_secret": "s:cret+"}


@pytest.mark.parametrize(
    ("issuer", "path", "jwks_uri"),
    [
        ("https://issuer.test", "/.well-known/openid-configuration", "https://issuer.test/jwks"),
        ("https://issuer.test/", "/.well-known/openid-configuration", "https://issuer.test/jwks"),
        ("https://issuer.test/", "/.well-known/oauth-authorization-server", "https://issuer.test/jwks"),
        ("https://issuer.test/a/b", "/a/b/.well-known/openid-configuration", "https://issuer.test/a/b/jwks"),
        (
            "https://issuer.test/a/b",
            "/.well-known/oauth-authorization-server/a/b",
            "https://issuer.test/a/b/jwks",
        ),
    ],
)
def test_metadata_are_where_discovery_looks_and_name_the_issuer(
    issuer: str, path: str, jwks_uri: str
) -> None:
    metadata = content(get(path, replace(STATE, issuer=issuer)))
    assert metadata["issuer"] == issuer
    assert metadata["jwks_uri"] == jwks_uri
    assert metadata["token_endpoint"] == jwks_uri.replace("jwks", "token")
    assert metadata["id_token_signing_alg_values_supported"] == ["RS256", "ES256"]


def test_the_key_set_can_be_cached_and_asked_for_again() -> None:
    first = get("/jwks")
    headers = dict(first.headers)
    assert (first.status, content(first)) == (200, {"keys": [{"kty": "OKP"}]})
    assert headers["Cache-Control"] == "public, max-age=600"
    again = get("/jwks", known=headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert dict(again.headers) == {
        "ETag": headers["ETag"],
        "Cache-Control": "public, max-age=600",
        "Access-Control-Allow-Origin": "*",
    }


@pytest.mark.parametrize("known", ['"other", W/{tag}', "*"])
def test_an_etag_is_found_in_a_list_weak_or_not(known: str) -> None:
    tag = dict(get("/jwks").headers)["ETag"]
    assert get("/jwks", known=known.format(tag=tag)).status == 304


def test_another_key_set_has_another_etag() -> None:
    tag = dict(get("/jwks").headers)["ETag"]
    changed = get("/jwks", replace(STATE, key_set={"keys": []}), known=tag)
    assert changed.status == 200


def test_without_cache_control_the_header_is_left_out() -> None:
    assert "Cache-Control" not in dict(get("/jwks", replace(STATE, cache_control=None)).headers)


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [("GET", "/", 404, None), ("POST", "/jwks", 405, "GET"), ("GET", "/token", 405, "POST")],
)
def test_what_is_not_served_is_refused(method: str, path: str, status: int, allowed: str | None) -> None:
    response = respond(Request(method, path), STATE)
    assert (response.status, dict(response.headers).get("Allow")) == (status, allowed)


def test_a_client_gets_a_token_with_its_secret_in_the_header() -> None:
    response = post_form({"grant_type": "client_credentials", "scope": "a b"}, GOOD_BASIC)
    assert (response.status, content(response)) == (200, {"access_token": "token of a client for a b"})
    assert dict(response.headers)["Cache-Control"] == "no-store"


def test_a_client_gets_a_token_with_its_secret_in_the_form() -> None:
    response = post_form({**GOOD_FORM, "resource": "https://other.test"})
    assert (response.status, content(response)) == (200, {"access_token": "token of a client for None"})


def test_a_client_gets_a_token_with_an_assertion() -> None:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    form = {"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": "x"}
    assert content(post_form(form)) == {"access_token": "token of who signed x for None"}


@pytest.mark.parametrize(
    ("form", "authorization", "status", "error"),
    [
        ({**GOOD_FORM, "client_secret": "wrong"}, None, 401, "invalid_client"),
        ({**GOOD_FORM, "client_id": "nobody"}, None, 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, None, 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, basic("a client", "wrong"), 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, "Basic %", 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, "Bearer abc", 401, "invalid_client"),
        (GOOD_FORM, GOOD_BASIC, 400, "invalid_request"),
        ({**GOOD_FORM, "grant_type": ""}, None, 400, "invalid_request"),
        ({**GOOD_FORM, "grant_type": "password"}, None, 400, "unsupported_grant_type"),
        ({**GOOD_FORM, "resource": "https://elsewhere.test"}, None, 400, "invalid_target"),
        ([*GOOD_FORM.items(), ("scope", "a"), ("scope", "b")], None, 400, "invalid_request"),
    ],
)
def test_the_token_endpoint_refuses_with_the_error_of_the_rfc(
    form: dict[str, str], authorization: str | None, status: int, error: str
) -> None:
    response = post_form(form, authorization)
    assert (response.status, content(response)["error"]) == (status, error)
    headers = dict(response.headers)
    assert headers["Cache-Control"] == "no-store"
    assert headers.get("WWW-Authenticate") == ('Basic realm="token"' if status == 401 else None)


def test_the_token_endpoint_takes_only_forms() -> None:
    request = Request("POST", "/token", {"content-type": "application/json"}, json.dumps(GOOD_FORM).encode())
    response = respond(request, STATE)
    assert (response.status, content(response)["error"]) == (400, "invalid_request")
