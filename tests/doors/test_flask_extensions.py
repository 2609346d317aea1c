"""What extensions of Flask make of a refusal: they may word it, and the challenge stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
import flask_restful
import flask_restx
import flask_smorest
import pytest
from flask.views import MethodView

from bearerguard import scope
from bearerguard.flask import Guard, requires_authentication, requires_scopes
from bearerguard.testing import Issuer

Decorate = Callable[[Any], Any]


def shown() -> dict[str, str]:
    return {"hello": "world"}


def plain(decorate: Decorate) -> flask.Flask:
    app = flask.Flask("shop")
    app.add_url_rule("/orders", "orders", decorate(shown))
    return app


def smorest(decorate: Decorate) -> flask.Flask:
    app = flask.Flask("shop")
    app.config.update(API_TITLE="shop", API_VERSION="1", OPENAPI_VERSION="3.0.3")
    api, blueprint = flask_smorest.Api(app), flask_smorest.Blueprint("orders", "orders")
    kind = type("Orders", (MethodView,), {"get": decorate(lambda self: shown())})
    blueprint.route("/orders")(kind)
    api.register_blueprint(blueprint)
    return app


def restful(decorate: Decorate) -> flask.Flask:
    app = flask.Flask("shop")
    kind = type("Orders", (flask_restful.Resource,), {"get": decorate(lambda self: shown())})
    flask_restful.Api(app).add_resource(kind, "/orders")
    return app


def restx(decorate: Decorate) -> flask.Flask:
    app = flask.Flask("shop")
    kind = type("Orders", (flask_restx.Resource,), {"get": decorate(lambda self: shown())})
    flask_restx.Api(app).add_resource(kind, "/orders")
    return app


def own_pages(decorate: Decorate) -> flask.Flask:
    app = plain(decorate)
    for status in (400, 401, 403, 503):
        app.register_error_handler(status, lambda error: (f"sorry: {error.code}", error.code))
    return app


APPS = [plain, smorest, restful, restx, own_pages]


def with_guard(issuer: Issuer) -> Decorate:
    return Guard(issuer.resource_server(), realm="shop").requires(scope("orders"))


def with_layabauth(issuer: Issuer) -> Decorate:
    authenticated = requires_authentication(
        issuer.jwks_uri,
        issuer=issuer.url,
        audience=issuer.audience,
        clock=issuer.clock,
        transport=issuer.transport,
    )

    def decorate(view: Any) -> Any:
        def checked(*args: Any) -> Any:
            requires_scopes(lambda token, token_body: token_body["scope"], "orders")
            return view(*args)

        return authenticated(checked)

    return decorate


@pytest.mark.parametrize("make", APPS)
@pytest.mark.parametrize("protect", [with_guard, with_layabauth])
def test_challenge_and_retry_after_stay_whatever_words_the_refusal(
    make: Callable[[Decorate], flask.Flask], protect: Callable[[Issuer], Decorate]
) -> None:
    issuer = Issuer(f"https://{make.__name__.replace('_', '-')}.{protect.__name__.replace('_', '-')}.test")
    client = make(protect(issuer)).test_client()

    def ask(token: str | None) -> Any:
        return client.get("/orders", headers={} if token is None else {"Authorization": f"Bearer {token}"})

    with issuer.outage():
        down = ask(issuer.token(scope="orders"))
    assert down.status_code == 503
    assert len(down.headers.getlist("Retry-After")) == 1
    issuer.clock.advance(60)
    for token, status in ((None, 401), (issuer.expired(), 401), (issuer.token(scope="b"), 403)):
        answer = ask(token)
        assert answer.status_code == status
        (challenge,) = answer.headers.getlist("WWW-Authenticate")
        assert challenge.startswith("Bearer")
        assert ('error="invalid_token"' in challenge) is (token is not None and status == 401)
        assert ('error="insufficient_scope"' in challenge) is (status == 403)
    assert ask(issuer.token(scope="orders")).get_json() == {"hello": "world"}


def test_an_answer_about_something_else_gets_no_challenge(issuer: Issuer) -> None:
    guard, app = Guard(issuer.resource_server(keys=issuer.jwks())), flask.Flask("shop")

    @app.get("/orders")
    def orders() -> Any:
        try:
            return guard.requires()(shown)()
        except Exception:  # noqa: BLE001 - as such applications do
            return "try our shop window", 200

    app.register_error_handler(401, lambda error: flask.redirect("/login"))
    app.add_url_rule("/redirected", "redirected", guard.requires()(shown))
    client = app.test_client()
    for path, status in (("/orders", 200), ("/redirected", 302)):
        answer = client.get(path)
        assert (answer.status_code, answer.headers.getlist("WWW-Authenticate")) == (status, [])


def test_a_challenge_of_the_applications_own_is_left_as_it_is(issuer: Issuer) -> None:
    guard, app = Guard(issuer.resource_server(keys=issuer.jwks())), flask.Flask("shop")
    mine = {"WWW-Authenticate": 'Bearer realm="mine"'}
    app.register_error_handler(401, lambda error: ("sorry", 401, mine))
    app.add_url_rule("/orders", "orders", guard.requires()(shown))
    assert app.test_client().get("/orders").headers.getlist("WWW-Authenticate") == ['Bearer realm="mine"']


def test_two_guards_each_answer_for_themselves(issuer: Issuer) -> None:
    app, server = flask.Flask("shop"), issuer.resource_server(keys=issuer.jwks())
    for name in ("orders", "stock"):
        guard = Guard(server, realm=name, body=lambda error, name=name: ("text/plain", name.encode()))  # type: ignore[misc]
        app.add_url_rule(f"/{name}", name, guard.requires()(shown))
    for name in ("orders", "stock"):
        answer = app.test_client().get(f"/{name}")
        assert (answer.text, answer.headers["WWW-Authenticate"]) == (name, f'Bearer realm="{name}"')
