"""Logging in at an issuer: what its authorization endpoint and its token endpoint grant and refuse."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from bearerguard.testing import Clock, Issuer, Persona
from bearerguard.testing.exchange import Request, Response

VERIFIER = "correct-horse-battery-staple-correct-horse-battery"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CALLBACK = "http://127.0.0.1:8000/docs/oauth2-redirect"
ASKED = {
    "response_type": "code",
    "client_id": "docs",
    "redirect_uri": CALLBACK,
    "scope": "orders:write orders:read stock:read",
    "state": "a state",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
GRANT = {
    "grant_type": "authorization_code",
    "client_id": "docs",
    "redirect_uri": CALLBACK,
    "code_verifier": VERIFIER,
}


@pytest.fixture
def issuer() -> Issuer:
    issuer = Issuer(algorithm="ES256", clock=Clock(1_700_000_000))
    issuer.register_client("docs", CALLBACK, "http://localhost:9000/callback?from=issuer")
    issuer.register_client("other", CALLBACK)
    return issuer


def answered(issuer: Issuer, request: Request) -> Response:
    response = issuer.answer(request)
    assert response is not None
    return response


def asking(issuer: Issuer, asked: dict[str, Any] | list[tuple[str, str]]) -> Response:
    """The answer to somebody whose browser a client sent to the authorization endpoint."""
    return answered(issuer, Request("GET", "/authorize", query=urlencode(asked)))


def choosing(issuer: Issuer, persona: str = "ada", **changes: str) -> Response:
    """The answer to somebody who chose who to be."""
    form = urlencode({**ASKED, "persona": persona, **changes})
    return answered(issuer, Request("POST", "/authorize", body=form.encode()))


def redeeming(issuer: Issuer, form: dict[str, str], **headers: str) -> Response:
    sent = {"content-type": "application/x-www-form-urlencoded", **headers}
    return answered(issuer, Request("POST", "/token", sent, urlencode(form).encode()))


def sent_back(response: Response) -> dict[str, str]:
    """What the client finds in its redirect URI."""
    assert response.status == 303
    return dict(parse_qsl(urlsplit(dict(response.headers)["Location"]).query))


def code(issuer: Issuer, persona: str = "ada", **changes: str) -> str:
    return sent_back(choosing(issuer, persona, **changes))["code"]


def test_metadata_say_where_to_log_in_and_how(issuer: Issuer) -> None:
    metadata = json.loads(answered(issuer, Request("GET", "/.well-known/openid-configuration")).body)
    assert (
        metadata["authorization_endpoint"] == issuer.authorization_endpoint == "https://issuer.test/authorize"
    )
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert "none" in metadata["token_endpoint_auth_methods_supported"]


def test_the_login_page_lists_everybody_with_scopes_and_roles(issuer: Issuer) -> None:
    response = asking(issuer, ASKED)
    page = response.body.decode()
    assert (response.status, dict(response.headers)["Cache-Control"]) == (200, "no-store")
    assert "<code>docs</code>" in page
    for persona in ("Ada", "Ben", "Cleo"):
        assert f"<strong>{persona}</strong>" in page
    assert "scopes: orders:read, orders:write" in page
    assert "roles: admin" in page


def test_a_choice_sends_back_a_code_the_state_and_the_issuer(issuer: Issuer) -> None:
    response = choosing(issuer)
    assert dict(response.headers)["Location"].startswith(f"{CALLBACK}?code=")
    answer = sent_back(response)
    assert (answer["state"], answer["iss"]) == ("a state", issuer.url)
    assert set(answer) == {"code", "state", "iss"}


def test_a_query_of_the_redirect_uri_stays(issuer: Issuer) -> None:
    answer = sent_back(choosing(issuer, redirect_uri="http://localhost:9000/callback?from=issuer"))
    assert answer["from"] == "issuer"
    assert "code" in answer


def test_a_code_becomes_a_token_that_an_api_accepts(issuer: Issuer) -> None:
    response = redeeming(issuer, {**GRANT, "code": code(issuer, acr_values="gold silver")})
    headers = dict(response.headers)
    assert (response.status, headers["Cache-Control"]) == (200, "no-store")
    assert headers["Access-Control-Allow-Origin"] == "*"
    answer = json.loads(response.body)
    assert (answer["token_type"], answer["scope"]) == ("Bearer", "orders:write orders:read")
    token = issuer.resource_server().verify(answer["access_token"])
    assert (token.subject, token.client_id) == ("ada", "docs")
    assert token.scopes == {"orders:read", "orders:write"}
    assert token.roles == {"admin"}
    assert token.claims["auth_time"] == 1_700_000_000
    assert token.claims["acr"] == "gold"


def test_a_persona_gives_no_scope_that_is_not_theirs(issuer: Issuer) -> None:
    answer = json.loads(redeeming(issuer, {**GRANT, "code": code(issuer, "cleo")}).body)
    token = issuer.resource_server().verify(answer["access_token"])
    assert (answer["scope"], token.scopes, token.roles) == ("", frozenset(), frozenset())
    assert token.claims["acr"] == "basic"


def test_a_client_gets_no_scope_that_it_did_not_ask_for(issuer: Issuer) -> None:
    answer = json.loads(redeeming(issuer, {**GRANT, "code": code(issuer, scope="orders:read")}).body)
    assert answer["scope"] == "orders:read"


def test_the_personas_are_the_issuers_own() -> None:
    issuer = Issuer(algorithm="ES256", personas=[Persona("dora", "Dora", ("stock:read",))])
    issuer.register_client("docs", CALLBACK)
    page = asking(issuer, ASKED).body.decode()
    assert "Dora" in page
    assert "Ada" not in page
    assert (
        json.loads(redeeming(issuer, {**GRANT, "code": code(issuer, "dora")}).body)["scope"] == "stock:read"
    )


# -- where nobody is sent


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "nobody"},
        {"client_id": ""},
        {"redirect_uri": "https://elsewhere.example/"},
        {"redirect_uri": ""},
        {"redirect_uri": f"{CALLBACK}/"},
        {"redirect_uri": f"{CALLBACK}?a=b"},
        {"redirect_uri": f"{CALLBACK}#"},
        {"redirect_uri": CALLBACK.replace("8000", "8001")},
        {"redirect_uri": CALLBACK.replace("127.0.0.1", "localhost")},
        {"redirect_uri": CALLBACK.replace("http", "HTTP")},
        {"redirect_uri": CALLBACK.replace("127.0.0.1:8000", "127.0.0.1:8000@elsewhere.example")},
        {"redirect_uri": CALLBACK.replace("/docs", "/../docs")},
        {"redirect_uri": f" {CALLBACK}"},
        {"client_id": "other", "redirect_uri": "http://localhost:9000/callback?from=issuer"},
    ],
    ids=lambda change: "&".join(f"{name}={value}" for name, value in change.items()),
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_is_sent_to_a_place_that_is_not_registered(
    issuer: Issuer, method: str, change: dict[str, str]
) -> None:
    sent = urlencode({**ASKED, "persona": "ada", **change})
    request = Request(method, "/authorize", body=sent.encode(), query=sent)
    response = answered(issuer, request)
    assert response.status == 400
    assert "Location" not in dict(response.headers)
    assert b"elsewhere" not in response.body


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_a_second_way_back_is_refused(issuer: Issuer, name: str) -> None:
    assert asking(issuer, [*ASKED.items(), (name, ASKED[name])]).status == 400


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/callback",
        "http://app.example/callback",
        "http://127.0.0.1@app.example/callback",
        "http://127.0.0.1.app.example/callback",
        "http://127.0.0.1:8000/callback#fragment",
        "http://127.0.0.1:8000/call\r\nback",
        "javascript:alert(1)",
        "/callback",
        "",
    ],
)
def test_a_client_is_registered_on_loopback_only(issuer: Issuer, uri: str) -> None:
    with pytest.raises(ValueError, match="is not a redirect URI on loopback"):
        issuer.register_client("docs", uri)


def test_a_client_without_id_or_without_redirect_uri_is_not_registered(issuer: Issuer) -> None:
    for client_id, uris in (("", [CALLBACK]), ("docs", [])):
        with pytest.raises(ValueError, match="an id and at least one"):
            issuer.register_client(client_id, *uris)


# -- what the client is told


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": f"{CHALLENGE}="}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "plain", "code_challenge": VERIFIER}, "invalid_request"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
    ],
)
def test_a_request_that_cannot_be_granted_is_told_to_the_client(
    issuer: Issuer, change: dict[str, str], error: str
) -> None:
    for response in (asking(issuer, {**ASKED, **change}), choosing(issuer, **change)):
        answer = sent_back(response)
        assert (answer["error"], answer["state"], answer["iss"]) == (error, "a state", issuer.url)
        assert "code" not in answer


def test_a_parameter_that_is_sent_twice_makes_a_request_invalid(issuer: Issuer) -> None:
    assert sent_back(asking(issuer, [*ASKED.items(), ("scope", "more")]))["error"] == "invalid_request"


@pytest.mark.parametrize("choice", [{"persona": "nobody"}, {"persona": "", "cancel": "1"}])
def test_nobody_who_is_not_there_logs_in(issuer: Issuer, choice: dict[str, str]) -> None:
    assert sent_back(choosing(issuer, **choice))["error"] == "access_denied"


def test_without_a_state_none_is_sent_back(issuer: Issuer) -> None:
    assert set(sent_back(choosing(issuer, state=""))) == {"code", "iss"}


# -- codes that are not redeemed


def error_of(response: Response) -> tuple[int, str]:
    assert dict(response.headers)["Cache-Control"] == "no-store"
    assert b"access_token" not in response.body
    return response.status, json.loads(response.body)["error"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"code_verifier": ""}, (400, "invalid_request")),
        ({"code_verifier": VERIFIER[::-1]}, (400, "invalid_grant")),
        ({"code_verifier": f"{VERIFIER} "}, (400, "invalid_grant")),
        ({"code_verifier": CHALLENGE}, (400, "invalid_grant")),
        ({"code_verifier": "short"}, (400, "invalid_grant")),
        ({"code_verifier": "é" * 43}, (400, "invalid_grant")),
        ({"redirect_uri": ""}, (400, "invalid_request")),
        ({"redirect_uri": "http://localhost:9000/callback?from=issuer"}, (400, "invalid_grant")),
        ({"client_id": "other"}, (400, "invalid_grant")),
        ({"client_id": "nobody"}, (401, "invalid_client")),
        ({"client_id": ""}, (401, "invalid_client")),
        ({"client_id": "test-client"}, (401, "invalid_client")),
        ({"client_secret": "guessed"}, (401, "invalid_client")),
        ({"resource": "https://elsewhere.example"}, (400, "invalid_target")),
    ],
)
def test_a_code_that_is_not_redeemed_as_it_should_is_used_up(
    issuer: Issuer, change: dict[str, str], expected: tuple[int, str]
) -> None:
    form = {**GRANT, "code": code(issuer)}
    assert error_of(redeeming(issuer, {**form, **change})) == expected
    assert error_of(redeeming(issuer, form)) == (400, "invalid_grant")


def test_a_public_client_that_shows_a_secret_is_refused(issuer: Issuer) -> None:
    authorization = f"Basic {base64.b64encode(b'docs:').decode()}"
    form = {**GRANT, "code": code(issuer)}
    assert error_of(redeeming(issuer, form, authorization=authorization)) == (401, "invalid_client")


def test_a_code_works_once(issuer: Issuer) -> None:
    form = {**GRANT, "code": code(issuer)}
    assert redeeming(issuer, form).status == 200
    assert error_of(redeeming(issuer, form)) == (400, "invalid_grant")


@pytest.mark.parametrize("made_up", ["", "guessed"])
def test_a_code_that_was_never_given_is_worth_nothing(issuer: Issuer, made_up: str) -> None:
    expected = "invalid_grant" if made_up else "invalid_request"
    assert error_of(redeeming(issuer, {**GRANT, "code": made_up})) == (400, expected)


def test_a_code_lasts_a_minute(issuer: Issuer) -> None:
    early, late = code(issuer), code(issuer)
    issuer.clock.advance(59)
    assert redeeming(issuer, {**GRANT, "code": early}).status == 200
    issuer.clock.advance(1)
    assert error_of(redeeming(issuer, {**GRANT, "code": late})) == (400, "invalid_grant")


def test_codes_that_nobody_fetches_are_forgotten(issuer: Issuer) -> None:
    for _ in range(10):
        code(issuer)
        issuer.clock.advance(60)
    code(issuer)
    assert len(issuer._authorization_code._codes) == 1


def test_no_two_codes_are_alike_or_short(issuer: Issuer) -> None:
    codes = {code(issuer) for _ in range(100)}
    assert len(codes) == 100
    assert min(map(len, codes)) >= 43  # 256 bits


# -- the page


def test_whatever_a_request_brings_stands_on_the_page_as_text(issuer: Issuer) -> None:
    attack = """"><script>alert('1')</script>"""
    page = asking(issuer, {**ASKED, "state": attack, "scope": attack, attack: attack}).body.decode()
    assert "<script" not in page
    assert "&quot;&gt;&lt;script&gt;" in page


def test_a_page_runs_no_script_loads_nothing_and_stands_in_no_frame(issuer: Issuer) -> None:
    for response in (asking(issuer, ASKED), asking(issuer, {})):
        policy = dict(response.headers)["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy


def test_somebody_cannot_be_chosen_for_in_the_link_that_leads_there(issuer: Issuer) -> None:
    link = {**ASKED, "persona": "ada"}
    assert asking(issuer, link).status == 200
    sent = urlencode([*link.items(), ("persona", "ben")])  # what the form on that page sends
    response = answered(issuer, Request("POST", "/authorize", body=sent.encode()))
    assert sent_back(response)["error"] == "invalid_request"


def test_no_script_of_another_origin_reads_the_page(issuer: Issuer) -> None:
    assert "Access-Control-Allow-Origin" not in dict(asking(issuer, ASKED).headers)
    response = answered(issuer, Request("OPTIONS", "/authorize"))
    assert (response.status, dict(response.headers)) == (405, {"Allow": "GET, POST"})


@pytest.mark.parametrize("path", ["/token", "/jwks", "/.well-known/openid-configuration"])
def test_scripts_of_any_origin_may_ask_the_other_endpoints(issuer: Issuer, path: str) -> None:
    response = answered(issuer, Request("OPTIONS", path))
    headers = dict(response.headers)
    assert (response.status, headers["Access-Control-Allow-Origin"]) == (204, "*")
    assert "Content-Type" in headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in headers
    method = "POST" if path == "/token" else "GET"
    asked = answered(issuer, Request(method, path))
    assert dict(asked.headers)["Access-Control-Allow-Origin"] == "*"
