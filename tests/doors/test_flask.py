"""`requires_authentication`, `requires_scopes` and `UserIdFilter`, in Flask and in flask-restx."""

from __future__ import annotations

import inspect
import logging
import threading
import warnings
from collections.abc import Callable
from typing import Any

import flask
import flask.views
import flask_restx
import httpx2
import pytest
import werkzeug.exceptions
from flask.testing import FlaskClient

from bearerguard import AuthError, ConfigurationError, SecurityWarning
from bearerguard.flask import UserIdFilter, requires_authentication, requires_scopes
from bearerguard.testing import Issuer
from tests.challenge import challenge_of
from tests.doors.bad_tokens import BAD
from tests.doors_under_test.layabauth_doors import trusting

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def guard_for(issuer: Issuer, /, **options: Any) -> Decorator:
    return requires_authentication(issuer.jwks_uri, **trusting(issuer, **options))


def whoami() -> dict[str, Any]:
    return {"token": flask.g.token, "sub": flask.g.token_body["sub"]}


async def whoami_async() -> dict[str, Any]:
    return whoami()


def on_a_plain_view(authenticated: Decorator) -> flask.Flask:
    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=authenticated(whoami))
    return app


def on_an_async_view(authenticated: Decorator) -> flask.Flask:
    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=authenticated(whoami_async))
    return app


def on_a_method_view(authenticated: Decorator) -> flask.Flask:
    class View(flask.views.MethodView):
        @authenticated
        def get(self) -> dict[str, Any]:
            return whoami()

    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=View.as_view("view"))
    return app


def on_an_async_method_view(authenticated: Decorator) -> flask.Flask:
    class View(flask.views.MethodView):
        @authenticated
        async def get(self) -> dict[str, Any]:
            return whoami()

    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=View.as_view("view"))
    return app


def as_the_decorators_of_a_method_view(authenticated: Decorator) -> flask.Flask:
    class View(flask.views.MethodView):
        decorators = [authenticated]  # noqa: RUF012 - Flask's way

        def get(self) -> dict[str, Any]:
            return whoami()

    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=View.as_view("view"))
    return app


def on_a_view_of_a_blueprint(authenticated: Decorator) -> flask.Flask:
    blueprint = flask.Blueprint("blueprint", __name__)
    blueprint.add_url_rule("/me", view_func=authenticated(whoami))
    app = flask.Flask(__name__)
    app.register_blueprint(blueprint)
    return app


def before_each_request_of_a_blueprint(authenticated: Decorator) -> flask.Flask:
    blueprint = flask.Blueprint("blueprint", __name__)
    blueprint.before_request(authenticated(lambda: None))
    blueprint.add_url_rule("/me", view_func=whoami)
    app = flask.Flask(__name__)
    app.register_blueprint(blueprint)
    return app


def on_a_method_of_a_flask_restx_resource(authenticated: Decorator) -> flask.Flask:
    app = flask.Flask(__name__)
    api = flask_restx.Api(app, doc=False)

    @api.route("/me")
    class Resource(flask_restx.Resource):  # type: ignore[misc]
        @authenticated
        def get(self) -> dict[str, Any]:
            return whoami()

    return app


def as_the_method_decorators_of_a_flask_restx_resource(authenticated: Decorator) -> flask.Flask:
    app = flask.Flask(__name__)
    api = flask_restx.Api(app, doc=False)

    @api.route("/me")
    class Resource(flask_restx.Resource):  # type: ignore[misc]
        method_decorators = [authenticated]  # noqa: RUF012 - flask-restx's way

        def get(self) -> dict[str, Any]:
            return whoami()

    return app


PLACES: dict[str, Callable[[Decorator], flask.Flask]] = {
    place.__name__: place
    for place in (
        on_a_plain_view,
        on_an_async_view,
        on_a_method_view,
        on_an_async_method_view,
        as_the_decorators_of_a_method_view,
        on_a_view_of_a_blueprint,
        before_each_request_of_a_blueprint,
        on_a_method_of_a_flask_restx_resource,
        as_the_method_decorators_of_a_flask_restx_resource,
    )
}


@pytest.fixture(params=PLACES)
def client(issuer: Issuer, request: pytest.FixtureRequest) -> FlaskClient:
    return PLACES[request.param](guard_for(issuer)).test_client()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# -- wherever it stands ----------------------------------------------------------------------------------


def test_a_good_token_opens_the_view_which_finds_its_text_and_its_claims(
    client: FlaskClient, issuer: Issuer
) -> None:
    token = issuer.token("ada")
    response = client.get("/me", headers=bearer(token))
    assert (response.status_code, response.get_json()) == (200, {"token": token, "sub": "ada"})


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}], ids=["none", "other scheme"])
def test_without_bearer_token_the_answer_is_401_with_a_challenge_that_names_no_error(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    response = client.get("/me", headers=headers)
    assert response.status_code == 401
    assert response.headers.getlist("WWW-Authenticate") == ["Bearer"]


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_token_is_answered_with_401_and_the_challenge(
    client: FlaskClient, issuer: Issuer, kind: str
) -> None:
    mint, description = BAD[kind]
    response = client.get("/me", headers=bearer(mint(issuer)))
    assert response.status_code == 401
    assert response.headers.getlist("WWW-Authenticate") == [
        f'Bearer error="invalid_token", error_description="{description}"'
    ]
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize("value", ["Bearer", "Bearer two tokens", "Bearer one, Bearer two"])
def test_credentials_that_are_not_put_as_they_should_be_are_a_401_that_says_so(
    client: FlaskClient, value: str
) -> None:
    response = client.get("/me", headers={"Authorization": value})
    assert response.status_code == 401
    (challenge,) = response.headers.getlist("WWW-Authenticate")
    assert challenge.startswith('Bearer error="invalid_request"')


def test_keys_that_cannot_be_had_are_a_503_that_says_when_to_try_again(
    client: FlaskClient, issuer: Issuer
) -> None:
    with issuer.outage():
        response = client.get("/me", headers=bearer(issuer.token()))
    assert response.status_code == 503
    assert [1 <= int(seconds) <= 30 for seconds in response.headers.getlist("Retry-After")] == [True]
    assert response.headers.getlist("WWW-Authenticate") == ["Bearer"]


def test_two_authorization_headers_are_refused(client: FlaskClient, issuer: Issuer) -> None:
    headers = [("Authorization", f"Bearer {issuer.token()}"), ("Authorization", f"Bearer {issuer.token()}")]
    assert client.get("/me", headers=headers).status_code == 401


def test_the_scheme_may_be_written_in_any_case(client: FlaskClient, issuer: Issuer) -> None:
    response = client.get("/me", headers={"Authorization": f"bEARER {issuer.token('ada')}"})
    assert response.status_code == 200


def test_bytes_that_no_token_has_are_a_bad_token_and_no_error(client: FlaskClient) -> None:
    response = client.get("/me", environ_overrides={"HTTP_AUTHORIZATION": "Bearer \xe9\xff.a.b"})
    assert response.status_code == 401


def test_a_token_after_a_good_one_is_not_taken_for_it(client: FlaskClient, issuer: Issuer) -> None:
    for _ in range(2):
        assert client.get("/me", headers=bearer(issuer.token())).status_code == 200
        assert client.get("/me", headers=bearer(issuer.forged())).status_code == 401
        assert client.get("/me").status_code == 401


# -- what the application sees ---------------------------------------------------------------------------


def test_the_view_is_not_entered_without_a_good_token(issuer: Issuer) -> None:
    @guard_for(issuer)
    def view() -> str:
        pytest.fail("it was entered")

    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=view)
    for headers in ({}, bearer(issuer.expired()), bearer("mocked_token"), {"Authorization": "Bearer a b"}):
        assert app.test_client().get("/me", headers=headers).status_code == 401


def test_a_decorated_view_is_async_if_and_only_if_the_view_is(issuer: Issuer) -> None:
    authenticated = guard_for(issuer)
    assert not inspect.iscoroutinefunction(authenticated(whoami))
    assert inspect.iscoroutinefunction(authenticated(whoami_async))
    assert authenticated(whoami_async).__name__ == "whoami_async"


def test_arguments_of_the_route_and_what_the_view_returns_pass_through(issuer: Issuer) -> None:
    authenticated = guard_for(issuer)
    app = flask.Flask(__name__)

    @app.get("/sync/<int:number>")
    @authenticated
    def view(number: int) -> tuple[str, int]:
        return f"order {number}", 202

    @app.get("/async/<int:number>")
    @authenticated
    async def async_view(number: int) -> tuple[str, int]:
        return f"order {number}", 202

    for path in ("/sync/7", "/async/7"):
        response = app.test_client().get(path, headers=bearer(issuer.token()))
        assert (response.status_code, response.text) == (202, "order 7")


def test_what_one_request_does_to_its_claims_no_other_sees(issuer: Issuer) -> None:
    @guard_for(issuer)
    def view() -> list[str]:
        flask.g.token_body["roles"].append("admin")
        roles: list[str] = flask.g.token_body["roles"]
        return roles

    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=view)
    headers = bearer(issuer.token(roles=["clerk"]))
    answers = [app.test_client().get("/me", headers=headers).get_json() for _ in range(3)]
    assert answers == [["clerk", "admin"]] * 3


@pytest.mark.parametrize(
    ("request_headers", "raised"),
    [
        ({}, werkzeug.exceptions.Unauthorized),
        (bearer("mocked_token"), werkzeug.exceptions.Unauthorized),
        ({"Authorization": "Bearer a b"}, werkzeug.exceptions.Unauthorized),
    ],
    ids=["none", "bad", "malformed"],
)
def test_the_refusal_is_an_exception_of_werkzeug_that_knows_its_error(
    issuer: Issuer, request_headers: dict[str, str], raised: type[werkzeug.exceptions.HTTPException]
) -> None:
    with (
        flask.Flask(__name__).test_request_context(headers=request_headers),
        pytest.raises(raised) as refusal,
    ):
        guard_for(issuer)(whoami)()
    cause = refusal.value.__cause__
    assert isinstance(cause, AuthError)
    assert refusal.value.get_response().headers["WWW-Authenticate"] == challenge_of(cause)
    assert getattr(refusal.value, "error", None) is cause


def test_an_error_page_of_the_application_finds_the_challenge_where_werkzeug_keeps_it(issuer: Issuer) -> None:
    app = on_a_plain_view(guard_for(issuer))

    @app.errorhandler(werkzeug.exceptions.Unauthorized)
    def page(error: werkzeug.exceptions.Unauthorized) -> tuple[dict[str, Any], int]:
        assert error.www_authenticate is not None
        (challenge,) = error.www_authenticate
        return {"scheme": challenge.type, "error": challenge.get("error"), "text": error.description}, 401

    response = app.test_client().get("/me", headers=bearer(issuer.expired()))
    assert response.get_json() == {
        "scheme": "bearer",
        "error": "invalid_token",
        "text": "The token has expired.",
    }
    assert app.test_client().get("/me").get_json()["error"] is None


def test_an_error_page_of_the_application_finds_when_to_try_again(issuer: Issuer) -> None:
    app = on_a_plain_view(guard_for(issuer))

    @app.errorhandler(503)
    def page(error: werkzeug.exceptions.ServiceUnavailable) -> tuple[dict[str, Any], int]:
        return {"retry_after": error.retry_after}, 503

    with issuer.outage():
        response = app.test_client().get("/me", headers=bearer(issuer.token()))
    assert 1 <= response.get_json()["retry_after"] <= 30


@pytest.mark.parametrize("kind", ["no token", *BAD])
def test_the_body_of_a_flask_restx_error_says_what_the_challenge_says(issuer: Issuer, kind: str) -> None:
    client = on_a_method_of_a_flask_restx_resource(guard_for(issuer)).test_client()
    if kind == "no token":
        response, description = client.get("/me"), werkzeug.exceptions.Unauthorized.description
    else:
        mint, description = BAD[kind]
        response = client.get("/me", headers=bearer(mint(issuer)))
    assert (response.status_code, response.get_json()) == (401, {"message": description})


def test_an_error_of_the_view_itself_is_not_taken_for_a_bad_token(issuer: Issuer) -> None:
    @guard_for(issuer)
    def view() -> str:
        raise KeyError("mine")

    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=view)
    assert app.test_client().get("/me", headers=bearer(issuer.token())).status_code == 500


def test_an_inner_decorator_decides_anew_and_its_refusal_leaves_nothing_of_the_outer_one(
    issuer: Issuer,
) -> None:
    other = Issuer("https://other.test")
    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=guard_for(issuer)(guard_for(other)(whoami)))

    @app.errorhandler(401)
    def refused(error: Exception) -> dict[str, Any]:
        return {"user": user_id_now(), "token": "token" in flask.g, "body": "token_body" in flask.g}

    response = app.test_client().get("/me", headers=bearer(issuer.token(email="ada@example.test")))
    assert response.get_json() == {"user": "", "token": False, "body": False}


# -- what is checked -------------------------------------------------------------------------------------

UNCHECKED = {
    "issuer": ({"issuer": None}, ["issuer="]),
    "audience": ({"audience": None}, ["audience="]),
    "both": ({"issuer": None, "audience": None}, ["issuer=", "audience="]),
}


@pytest.mark.parametrize("which", UNCHECKED)
def test_each_decorator_that_does_not_check_something_warns_of_it_where_it_is_built(
    issuer: Issuer, which: str
) -> None:
    options, advice = UNCHECKED[which]
    given: dict[str, Any] = {"issuer": issuer.url, "audience": issuer.audience, **options}
    for _ in range(2):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            requires_authentication(issuer.jwks_uri, **given)
        assert [warning.category for warning in found] == [SecurityWarning] * len(advice)
        assert all(text in str(warning.message) for text, warning in zip(advice, found, strict=True))
        assert {warning.filename for warning in found} == {__file__}


def test_without_issuer_and_audience_any_token_of_these_keys_is_accepted_and_no_other(issuer: Issuer) -> None:
    with pytest.warns(SecurityWarning):
        app = on_a_plain_view(guard_for(issuer, issuer=None, audience=None))
    client = app.test_client()
    for token in (issuer.token(), issuer.for_another_audience(), issuer.token(iss=None, aud=None)):
        assert client.get("/me", headers=bearer(token)).status_code == 200
    for token in (issuer.forged(), issuer.expired(), issuer.unsigned(), issuer.token(exp=None)):
        assert client.get("/me", headers=bearer(token)).status_code == 401


def test_one_of_several_audiences_is_enough(issuer: Issuer) -> None:
    client = on_a_plain_view(
        guard_for(issuer, audience=["https://old.test", "https://new.test"])
    ).test_client()
    for audience, status in (("https://new.test", 200), (["x", "https://old.test"], 200), ("x", 401)):
        assert client.get("/me", headers=bearer(issuer.token(aud=audience))).status_code == status


def test_the_algorithms_can_be_narrowed(issuer: Issuer) -> None:
    client = on_a_plain_view(guard_for(issuer, algorithms=["ES256"])).test_client()
    assert client.get("/me", headers=bearer(issuer.token(alg="ES256"))).status_code == 200
    assert client.get("/me", headers=bearer(issuer.token(alg="RS256"))).status_code == 401


@pytest.mark.parametrize(("leeway", "status"), [(0, 401), (60, 200)])
def test_the_leeway_forgives_a_difference_of_clocks(issuer: Issuer, leeway: float, status: int) -> None:
    client = on_a_plain_view(guard_for(issuer, leeway=leeway)).test_client()
    assert client.get("/me", headers=bearer(issuer.token(expires_in=-30))).status_code == status


def test_a_token_that_was_accepted_is_refused_once_the_clock_is_past_its_end(issuer: Issuer) -> None:
    client = on_a_plain_view(guard_for(issuer)).test_client()
    token = issuer.token(expires_in=60)
    assert client.get("/me", headers=bearer(token)).status_code == 200
    issuer.clock.advance(71)
    assert client.get("/me", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize(
    ("jwks_uri", "options", "why"),
    [
        ("http://issuer.test/jwks", {}, "not https"),
        ("https://issuer.test/jwks", {"proxies": {}}, "http_options"),
        ("https://issuer.test/jwks", {"follow_redirects": True}, "redirect"),
        ("https://issuer.test/jwks", {"algorithms": ["HS256"]}, "symmetric"),
        ("https://issuer.test/jwks", {"issuer": ""}, "issuer"),
        ("https://issuer.test/jwks", {"audience": ""}, "audience"),
    ],
)
def test_what_cannot_be_safe_is_refused_when_the_decorator_is_built(
    jwks_uri: str, options: dict[str, Any], why: str
) -> None:
    given = {"issuer": "https://issuer.test", "audience": "https://api.test", **options}
    with pytest.raises(ConfigurationError, match=why):
        requires_authentication(jwks_uri, **given)


# -- keys ------------------------------------------------------------------------------------------------


def test_thirty_views_with_the_same_address_fetch_its_keys_once(issuer: Issuer) -> None:
    app = flask.Flask(__name__)
    for number in range(30):
        app.add_url_rule(f"/{number}", f"view-{number}", guard_for(issuer)(whoami))
    for number in range(30):
        response = app.test_client().get(f"/{number}", headers=bearer(issuer.token()))
        assert response.status_code == 200
    assert issuer.count("/jwks") == 1


def test_thirty_views_with_the_same_address_notice_a_new_key_with_one_fetch(issuer: Issuer) -> None:
    app = flask.Flask(__name__)
    for number in range(30):
        app.add_url_rule(f"/{number}", f"view-{number}", guard_for(issuer)(whoami))
    app.test_client().get("/0", headers=bearer(issuer.token()))
    issuer.rotate()
    for number in range(30):
        response = app.test_client().get(f"/{number}", headers=bearer(issuer.token()))
        assert response.status_code == 200
    assert issuer.count("/jwks") == 2


def test_keys_are_not_fetched_for_each_request(client: FlaskClient, issuer: Issuer) -> None:
    for number in range(20):
        assert client.get("/me", headers=bearer(issuer.token(f"user-{number}"))).status_code == 200
    assert issuer.count("/jwks") == 1


def test_an_async_view_fetches_keys_off_its_event_loop(issuer: Issuer) -> None:
    threads: dict[str, threading.Thread] = {}

    def fetch(request: httpx2.Request) -> httpx2.Response:
        threads["fetch"] = threading.current_thread()
        return httpx2.Response(200, json=issuer.jwks())

    @guard_for(issuer, transport=httpx2.MockTransport(fetch))
    async def view() -> str:
        threads["event loop"] = threading.current_thread()
        return ""

    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=view)
    assert app.test_client().get("/me", headers=bearer(issuer.token())).status_code == 200
    assert threads["fetch"] is not threads["event loop"]


def test_http_options_reach_the_client_that_fetches_keys(issuer: Issuer) -> None:
    client = on_a_plain_view(guard_for(issuer, headers={"X-Tenant": "blue"}, timeout=1)).test_client()
    assert client.get("/me", headers=bearer(issuer.token())).status_code == 200
    assert [request.headers["x-tenant"] for request in issuer.requests] == ["blue"]


def test_nothing_is_fetched_for_what_is_not_a_token(client: FlaskClient, issuer: Issuer) -> None:
    assert client.get("/me", headers=bearer("mocked_token")).status_code == 401
    assert issuer.requests == ()


# -- scopes ----------------------------------------------------------------------------------------------


def requiring(issuer: Issuer, scopes: Any, *expected: str) -> FlaskClient:
    @guard_for(issuer)
    def view() -> str:
        requires_scopes(scopes, *expected)
        return "done"

    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=view)
    return app.test_client()


def scope_claim(token: str, token_body: dict[str, Any]) -> Any:
    return token_body["scope"]


@pytest.mark.parametrize(
    ("granted", "expected", "status"),
    [
        ("read", ["read"], 200),
        ("read write", ["write", "read"], 200),
        ("read", [], 200),
        ("read", ["read", "write"], 403),
        ("", ["read"], 403),
        ("reader", ["read"], 403),
        ("read write", ["read write"], 403),
        ("READ", ["read"], 403),
    ],
)
def test_all_expected_scopes_are_needed(
    issuer: Issuer, granted: str, expected: list[str], status: int
) -> None:
    headers = bearer(issuer.token(scope=granted))
    for function in (scope_claim, lambda token, token_body: token_body["scope"].split(" ")):
        assert requiring(issuer, function, *expected).get("/me", headers=headers).status_code == status


def test_a_missing_scope_is_answered_with_403_and_a_challenge_that_names_it(issuer: Issuer) -> None:
    client = requiring(issuer, scope_claim, "read", "write", "delete")
    response = client.get("/me", headers=bearer(issuer.token(scope="read other")))
    assert response.status_code == 403
    challenge = (
        'Bearer error="insufficient_scope", error_description="The token lacks write delete.", '
        'scope="read write delete"'
    )
    assert response.headers.getlist("WWW-Authenticate") == [challenge]
    assert "The write must be provided in the token." in response.text


def test_a_missing_scope_keeps_its_challenge_in_flask_restx(issuer: Issuer) -> None:
    app = flask.Flask(__name__)
    api = flask_restx.Api(app, doc=False)

    @api.route("/me")
    class Resource(flask_restx.Resource):  # type: ignore[misc]
        @guard_for(issuer)
        def get(self) -> None:
            requires_scopes(scope_claim, "write")

    response = app.test_client().get("/me", headers=bearer(issuer.token(scope="read")))
    assert response.status_code == 403
    assert response.get_json() == {"message": "The write must be provided in the token."}
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]
    assert 'scope="write"' in response.headers["WWW-Authenticate"]


def raises(token: str, token_body: dict[str, Any]) -> list[str]:
    raise RuntimeError(f"cannot read {token}")


@pytest.mark.parametrize(
    "function",
    [
        scope_claim,
        raises,
        lambda: ["read"],
        lambda token, token_body: None,
        lambda token, token_body: 7,
        None,
    ],
    ids=["claim missing", "raises", "wrong arguments", "None", "no collection", "no function"],
)
def test_a_function_that_gives_no_scopes_for_whatever_reason_counts_as_none(
    issuer: Issuer, function: Any, caplog: pytest.LogCaptureFixture
) -> None:
    token = issuer.token()
    with caplog.at_level(logging.DEBUG):
        response = requiring(issuer, function, "read").get("/me", headers=bearer(token))
    assert response.status_code == 403
    assert token not in caplog.text


def test_before_authentication_there_are_no_scopes(issuer: Issuer) -> None:
    with flask.Flask(__name__).test_request_context(), pytest.raises(werkzeug.exceptions.Forbidden):
        requires_scopes(lambda token, token_body: ["read"], "read")


def test_scopes_are_those_of_the_body_as_the_application_has_made_it(issuer: Issuer) -> None:
    @guard_for(issuer)
    def view() -> str:
        flask.g.token_body["scope"] += " write"
        requires_scopes(scope_claim, "read", "write")
        return "done"

    app = flask.Flask(__name__)
    app.add_url_rule("/me", view_func=view)
    assert app.test_client().get("/me", headers=bearer(issuer.token(scope="read"))).text == "done"


# -- an application context around several requests, which then share flask.g ------------------------------


def app_with_an_open_view(issuer: Issuer) -> flask.Flask:
    app = on_a_plain_view(guard_for(issuer))

    @app.get("/open")
    def open_view() -> dict[str, Any]:
        try:
            requires_scopes(scope_claim, "admin")
        except werkzeug.exceptions.Forbidden:
            return {"user": user_id_now(), "admin": False}
        return {"user": user_id_now(), "admin": True}

    return app


def test_a_request_without_token_has_no_user_and_no_scopes_of_the_request_before(issuer: Issuer) -> None:
    app = app_with_an_open_view(issuer)
    with app.app_context():
        client = app.test_client()
        ada = bearer(issuer.token("ada", "admin", email="ada@example.test"))
        assert client.get("/me", headers=ada).status_code == 200
        assert client.get("/open").get_json() == {"user": "", "admin": False}
        assert client.get("/open", headers=ada).get_json() == {"user": "", "admin": False}


def test_a_request_within_another_leaves_that_one_its_own_token(issuer: Issuer) -> None:
    app = flask.Flask(__name__)
    authenticated = guard_for(issuer)
    app.add_url_rule("/me", view_func=authenticated(whoami))

    @app.get("/outer")
    @authenticated
    def outer() -> dict[str, Any]:
        inner = bearer(issuer.token("eve", "admin", email="eve@example.test"))
        assert app.test_client().get("/me", headers=inner).get_json()["sub"] == "eve"
        requires_scopes(scope_claim, "read")
        with pytest.raises(werkzeug.exceptions.Forbidden):
            requires_scopes(scope_claim, "admin")
        return {"user": user_id_now()}

    headers = bearer(issuer.token("ada", "read", email="ada@example.test"))
    assert app.test_client().get("/outer", headers=headers).get_json() == {"user": "ada@example.test"}


# -- the filter for logs ---------------------------------------------------------------------------------


def user_id_now() -> Any:
    record = logging.LogRecord("orders", logging.INFO, __file__, 1, "shipped", None, None)
    assert UserIdFilter("email").filter(record) is True
    return record.__dict__["user_id"]


def app_that_logs(issuer: Issuer, seen: dict[str, Any]) -> flask.Flask:
    """Notes what the filter says at each point of a request."""
    authenticated = guard_for(issuer)
    app = flask.Flask(__name__)

    @app.before_request
    def before() -> None:
        seen["before"] = user_id_now()

    def view() -> str:
        seen["view"] = user_id_now()
        return ""

    async def async_view() -> str:
        return view()

    app.add_url_rule("/sync", "sync", authenticated(view))
    app.add_url_rule("/async", "async", authenticated(async_view))
    app.add_url_rule("/public", "public", view)

    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        seen["after"] = user_id_now()
        return response

    return app


@pytest.mark.parametrize("path", ["/sync", "/async"])
def test_the_user_id_is_that_of_the_verified_token_from_verification_on(issuer: Issuer, path: str) -> None:
    seen: dict[str, Any] = {}
    client = app_that_logs(issuer, seen).test_client()
    assert client.get(path, headers=bearer(issuer.token(email="ada@example.test"))).status_code == 200
    assert seen == {"before": "", "view": "ada@example.test", "after": "ada@example.test"}
    assert user_id_now() == ""


@pytest.mark.parametrize("path", ["/sync", "/async"])
@pytest.mark.parametrize("kind", BAD)
def test_the_user_id_of_a_bad_token_is_never_believed(issuer: Issuer, kind: str, path: str) -> None:
    seen: dict[str, Any] = {}
    client = app_that_logs(issuer, seen).test_client()
    client.get(path, headers=bearer(issuer.token(email="ada@example.test")))
    seen.clear()
    forged = issuer.forged(email="root@example.test") if kind == "forged" else BAD[kind][0](issuer)
    assert client.get(path, headers=bearer(forged)).status_code == 401
    assert seen == {"before": "", "after": ""}


def test_the_user_id_of_a_token_that_nobody_verified_is_empty(issuer: Issuer) -> None:
    seen: dict[str, Any] = {}
    client = app_that_logs(issuer, seen).test_client()
    assert client.get("/public", headers=bearer(issuer.token(email="ada@example.test"))).status_code == 200
    assert set(seen.values()) == {""}


@pytest.mark.parametrize(
    ("claim", "user_id"), [(None, ""), (7, 7), ("ada\nroot", "ada\\nroot"), ("Ådá", "Ådá")]
)
def test_the_user_id_is_the_claim_on_one_line(issuer: Issuer, claim: Any, user_id: Any) -> None:
    seen: dict[str, Any] = {}
    client = app_that_logs(issuer, seen).test_client()
    client.get("/sync", headers=bearer(issuer.token(email=claim)))
    assert seen["view"] == user_id


def test_the_filter_lets_every_record_pass_outside_of_flask_too() -> None:
    assert user_id_now() == ""
