"""What extensions of Flask make of a refusal: they may word it, and the challenge stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apiflask
import flask
import flask_restful
import flask_restx
import flask_smorest
import pytest
from flask.views import MethodView
from openapi_spec_validator import validate

from bearerguard import ConfigurationError, DPoP, Provider, ResourceServer, scope
from bearerguard.flask import Guard, requires_authentication, requires_scopes
from bearerguard.openapi import authorizations, oauth2_scheme
from bearerguard.testing import Issuer

Decorate = Callable[[Any], Any]
Make = Callable[[Decorate], flask.Flask]


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


def with_apiflask(decorate: Decorate) -> flask.Flask:
    app = apiflask.APIFlask("shop")
    app.add_url_rule("/orders", "orders", decorate(shown))
    return app


def own_pages(decorate: Decorate) -> flask.Flask:
    app = plain(decorate)
    for status in (400, 401, 403, 503):
        app.register_error_handler(status, lambda error: (f"sorry: {error.code}", error.code))
    return app


APPS = [plain, smorest, restful, restx, with_apiflask, own_pages]


def with_decorator(issuer: Issuer, make: Make) -> flask.Flask:
    return make(Guard(issuer.resource_server(), realm="shop").requires(scope("orders")))


def with_protect(issuer: Issuer, make: Make) -> flask.Flask:
    app = make(lambda view: view)
    Guard(issuer.resource_server(), realm="shop").protect(app, scope("orders"))
    return app


def with_layabauth(issuer: Issuer, make: Make) -> flask.Flask:
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

    return make(decorate)


@pytest.mark.parametrize("make", APPS)
@pytest.mark.parametrize("protect", [with_decorator, with_protect, with_layabauth])
def test_challenge_and_retry_after_stay_whatever_words_the_refusal(
    make: Make, protect: Callable[[Issuer, Make], flask.Flask]
) -> None:
    issuer = Issuer(f"https://{make.__name__}.{protect.__name__}.test".replace("_", "-"))
    client = protect(issuer, make).test_client()

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


@pytest.mark.parametrize("make", APPS)
def test_both_challenges_stay_where_a_proof_is_taken_too(make: Make, issuer: Issuer) -> None:
    server = issuer.resource_server(keys=issuer.jwks(), dpop=DPoP(base_url="https://api.test"))
    answer = make(Guard(server).requires(scope("orders"))).test_client().get("/orders")
    schemes = [challenge.split(" ")[0] for challenge in answer.headers.getlist("WWW-Authenticate")]
    assert (answer.status_code, schemes) == (401, ["Bearer", "DPoP"])


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


# -- documents -------------------------------------------------------------------------------------------

MAY_READ = scope("orders:read") | scope("admin")
READERS = [{"oauth2": ["admin"]}, {"oauth2": ["orders:read"]}]
SCHEME = oauth2_scheme({"orders:read": "Read", "admin": "All"}, token_url="https://login.test/token")


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return Guard(issuer.resource_server(keys=issuer.jwks()))


def in_any_order(security: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(security, key=str)


def test_flask_smorest_documents_what_a_view_asks_for(guard: Guard) -> None:
    app = flask.Flask("shop")
    app.config.update(API_TITLE="shop", API_VERSION="1", OPENAPI_VERSION="3.0.3")
    api, blueprint = flask_smorest.Api(app), flask_smorest.Blueprint("orders", "orders")
    api.spec.components.security_scheme("oauth2", SCHEME)
    documented = blueprint.doc(security=guard.security(MAY_READ))
    blueprint.route("/orders")(documented(guard.requires(MAY_READ)(shown)))
    api.register_blueprint(blueprint)
    document = api.spec.to_dict()
    validate(document)
    assert in_any_order(document["paths"]["/orders"]["get"]["security"]) == READERS
    assert app.test_client().get("/orders").status_code == 401


def test_apiflask_documents_what_a_view_asks_for(guard: Guard) -> None:
    app = apiflask.APIFlask("shop")
    app.security_schemes = {"oauth2": SCHEME}
    app.get("/orders")(app.doc(security=guard.security(MAY_READ))(guard.requires(MAY_READ)(shown)))
    document: Any = app.spec
    validate(document)
    assert in_any_order(document["paths"]["/orders"]["get"]["security"]) == READERS
    assert app.test_client().get("/orders").status_code == 401


def test_flask_restx_documents_what_a_method_asks_for(guard: Guard) -> None:
    app = flask.Flask("shop")
    scopes = {"orders:read": "Read", "admin": "All"}
    api = flask_restx.Api(app, authorizations=authorizations("https://login.test/authorize", scopes))
    get = api.doc(security=guard.security(MAY_READ))(guard.requires(MAY_READ)(lambda self: shown()))
    api.add_resource(type("Orders", (flask_restx.Resource,), {"get": get}), "/orders")
    document = app.test_client().get("/swagger.json").get_json()
    validate(document)
    assert in_any_order(document["paths"]["/orders"]["get"]["security"]) == READERS
    assert app.test_client().get("/orders").status_code == 401


def test_without_a_rule_a_document_asks_for_a_token(guard: Guard) -> None:
    assert guard.security() == [{"oauth2": []}]


def test_a_token_of_any_provider_is_enough_in_a_document() -> None:
    providers = [Provider(f"https://{name}.test", audience="shop") for name in ("staff", "partners")]
    guard = Guard(ResourceServer(*providers))
    assert guard.security(scope("orders")) == [{"staff.test": ["orders"]}, {"partners.test": ["orders"]}]


def test_a_document_says_that_a_token_may_come_with_a_proof(issuer: Issuer) -> None:
    server = issuer.resource_server(keys=issuer.jwks(), dpop=DPoP(base_url="https://api.test"))
    assert Guard(server).security(scope("a")) == [{"oauth2": ["a"]}, {"oauth2": ["a"], "DPoP": []}]


def test_a_document_of_something_else_than_a_rule_is_a_mistake_that_is_told(guard: Guard) -> None:
    with pytest.raises(ConfigurationError, match="is not a rule"):
        guard.security("orders")  # type: ignore[arg-type]  # a mistake, on purpose
