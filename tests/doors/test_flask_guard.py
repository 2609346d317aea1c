"""The `Guard` of Flask, where it is Flask's own: views, blueprints, error handlers, flask-restx.

What it has in common with every other door is in tests/conformance.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import flask
import flask_restx
import pytest
from flask.views import MethodView, View
from werkzeug import exceptions
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from bearerguard import AccessToken, AuthError, ConfigurationError, fresh, role, scope
from bearerguard.flask import Guard, RefusedRequest, UserIdFilter, requires_authentication
from bearerguard.logging import TokenFilter
from bearerguard.rules import Rule
from bearerguard.testing import Issuer
from tests.doors_under_test.layabauth_doors import trusting


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return Guard(issuer.resource_server(keys=issuer.jwks()))


@pytest.fixture
def app() -> flask.Flask:
    return flask.Flask("api")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def hello() -> str:
    return "hello"


# -- where the decorator stands ----------------------------------------------------------------------------


def test_a_guard_above_the_route_is_told_by_the_first_request(
    app: flask.Flask, guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install(app)
    part = flask.Blueprint("part", __name__)

    @guard.requires(scope("a"))
    @part.get("/")
    def orders() -> str:
        return "let in"

    app.register_blueprint(part)
    for _ in range(2):
        assert app.test_client().get("/").status_code == 500
    assert "orders is served without its rule: write @app.route(...) above" in caplog.text
    app.testing = True
    with pytest.raises(ConfigurationError, match="served without its rule"):
        app.test_client().get("/")


def test_a_guard_of_the_whole_application_tells_it_too(app: flask.Flask, guard: Guard) -> None:
    guard.protect(app)
    app.get("/")(hello)
    guard.requires(scope("a"))(hello)
    app.testing = True
    with pytest.raises(ConfigurationError, match="hello is served without its rule"):
        app.test_client().get("/")


def test_a_view_may_be_put_behind_a_guard_after_it_was_registered(app: flask.Flask, guard: Guard) -> None:
    guard.install(app)
    app.get("/")(hello)
    app.view_functions["hello"] = guard.requires()(app.view_functions["hello"])
    for _ in range(2):
        assert app.test_client().get("/").status_code == 401


def test_one_function_may_be_served_with_a_rule_and_without(app: flask.Flask, guard: Guard) -> None:
    guard.install(app)
    app.get("/public")(hello)
    app.add_url_rule("/", "guarded", guard.requires(scope("a"))(guard.requires(scope("b"))(hello)))
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/public", "/")] == [200, 401]


# -- error handlers --------------------------------------------------------------------------------------

CASES: dict[str, tuple[Rule | None, Callable[[Issuer], dict[str, str]], int, Any, str]] = {
    "badly put": (
        None,
        lambda issuer: {"Authorization": "Bearer a b"},
        400,
        exceptions.BadRequest,
        "malformed_header",
    ),
    "none": (None, lambda issuer: {}, 401, exceptions.Unauthorized, "no_credentials"),
    "bad": (None, lambda issuer: bearer(issuer.expired()), 401, exceptions.Unauthorized, "expired"),
    "old login": (
        fresh(max_age=1),
        lambda issuer: bearer(issuer.token()),
        401,
        exceptions.Unauthorized,
        "authentication",
    ),
    "no scope": (scope("a"), lambda issuer: bearer(issuer.token()), 403, exceptions.Forbidden, "scope"),
    "no role": (role("a"), lambda issuer: bearer(issuer.token()), 403, exceptions.Forbidden, "denied"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("by", ["status", "class of Werkzeug", "RefusedRequest", "HTTPException"])
def test_an_error_handler_of_the_application_answers_and_sees_the_error(
    app: flask.Flask, guard: Guard, issuer: Issuer, by: str, name: str
) -> None:
    rule, headers, status, kind, reason = CASES[name]
    registered: Any = {
        "status": status,
        "class of Werkzeug": kind,
        "RefusedRequest": RefusedRequest,
        "HTTPException": exceptions.HTTPException,
    }[by]

    @app.errorhandler(registered)
    def page(refusal: RefusedRequest) -> tuple[str, int]:
        assert isinstance(refusal, kind)
        assert refusal.__cause__ is refusal.error
        return f"{refusal.code} {refusal.error.reason}: {refusal.description}", 418

    app.add_url_rule("/", "hello", guard.requires(rule)(hello))
    response = app.test_client().get("/", headers=headers(issuer))
    assert response.status_code == 418
    assert response.text.startswith(f"{status} {reason}: ")


def test_an_error_handler_sees_trouble_at_the_provider(app: flask.Flask, issuer: Issuer) -> None:
    @app.errorhandler(503)
    def page(refusal: exceptions.ServiceUnavailable) -> dict[str, Any]:
        return {"retry_after": refusal.retry_after}

    app.add_url_rule("/", "hello", Guard(issuer.resource_server()).requires()(hello))
    with issuer.outage():
        response = app.test_client().get("/", headers=bearer(issuer.token()))
    assert 1 <= response.get_json()["retry_after"] <= 30


def test_an_error_handler_finds_the_challenge_where_werkzeug_keeps_it(
    app: flask.Flask, issuer: Issuer
) -> None:
    guard = Guard(issuer.resource_server(keys=issuer.jwks()), realm="orders", resource="https://api.test/v1")

    @app.errorhandler(exceptions.Unauthorized)
    def page(refusal: exceptions.Unauthorized) -> dict[str, Any]:
        assert refusal.www_authenticate is not None
        (challenge,) = refusal.www_authenticate
        return {"scheme": challenge.type, **challenge.parameters}

    app.add_url_rule("/", "hello", guard.requires()(hello))
    assert app.test_client().get("/", headers=bearer(issuer.expired())).get_json() == {
        "scheme": "bearer",
        "realm": "orders",
        "error": "invalid_token",
        "error_description": "The token has expired.",
        "resource_metadata": "https://api.test/.well-known/oauth-protected-resource/v1",
    }


def test_an_error_handler_may_answer_with_what_the_guard_would_have_said(
    app: flask.Flask, guard: Guard
) -> None:
    @app.errorhandler(RefusedRequest)
    def page(refusal: RefusedRequest) -> Any:
        response = refusal.get_response()
        response.headers["X-Seen"] = refusal.error.reason
        return response

    app.add_url_rule("/", "hello", guard.requires()(hello))
    response = app.test_client().get("/")
    assert (response.status_code, response.headers["X-Seen"]) == (401, "no_credentials")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.get_json()["error"] == "no_credentials"


def test_an_error_handler_may_take_the_headers_and_write_a_page_of_its_own(
    app: flask.Flask, guard: Guard, issuer: Issuer
) -> None:
    @app.errorhandler(RefusedRequest)
    def page(refusal: RefusedRequest) -> Any:
        return refusal.get_body(), refusal.code, refusal.get_headers()

    app.add_url_rule("/", "hello", guard.requires(scope("a"))(hello))
    response = app.test_client().get("/", headers=bearer(issuer.token()))
    assert (response.status_code, response.mimetype) == (403, "text/html")
    assert response.headers.getlist("WWW-Authenticate")[0].endswith('scope="a"')
    assert "<h1>Forbidden</h1>" in response.text


def test_the_error_handler_of_a_blueprint_answers_for_its_views(app: flask.Flask, guard: Guard) -> None:
    blueprint = flask.Blueprint("orders", "api", url_prefix="/orders")

    @blueprint.errorhandler(RefusedRequest)
    async def page(refusal: RefusedRequest) -> tuple[str, int]:
        return "log in first", 401

    guard.protect(blueprint)
    blueprint.add_url_rule("/", "hello", hello)
    app.register_blueprint(blueprint)
    app.add_url_rule("/", "hello", guard.requires()(hello))
    client = app.test_client()
    assert client.get("/orders/").text == "log in first"
    assert client.get("/").get_json()["error"] == "no_credentials"


class PaymentRequired(AuthError):
    status = 402


class Paid(Rule, frozen=True):
    def allows(self, token: AccessToken) -> bool:
        return False

    def refusal(self, token: AccessToken) -> AuthError:
        return PaymentRequired("unpaid", "Pay first.")


def test_a_rule_of_the_applications_own_may_refuse_with_any_status(
    app: flask.Flask, guard: Guard, issuer: Issuer
) -> None:
    app.add_url_rule("/", "hello", guard.requires(Paid())(hello))
    response = app.test_client().get("/", headers=bearer(issuer.token()))
    assert (response.status_code, response.get_json()["message"]) == (402, "Pay first.")


# -- views -----------------------------------------------------------------------------------------------


async def hello_async() -> str:
    return "hello"


def test_a_decorated_view_is_async_if_and_only_if_the_view_is(guard: Guard) -> None:
    for decorate in (guard.requires(), guard.optional()):
        assert not inspect.iscoroutinefunction(decorate(hello))
        assert inspect.iscoroutinefunction(decorate(hello_async))
        assert decorate(hello_async).__name__ == "hello_async"


def test_arguments_of_the_route_and_what_the_view_returns_pass_through(
    app: flask.Flask, guard: Guard, issuer: Issuer
) -> None:
    @app.get("/sync/<int:number>")
    @guard.requires()
    def view(number: int) -> tuple[str, int]:
        return f"order {number}", 202

    @app.get("/async/<int:number>")
    @guard.requires()
    async def async_view(number: int) -> tuple[str, int]:
        return f"order {number}", 202

    for path in ("/sync/7", "/async/7"):
        response = app.test_client().get(path, headers=bearer(issuer.token()))
        assert (response.status_code, response.text) == (202, "order 7")


class Orders(MethodView):
    """Lists orders."""

    decorators: ClassVar[list[Any]] = [lambda view: lambda **given: f"<{view(**given)}>"]

    def __init__(self, greeting: str) -> None:
        self.greeting = greeting

    def get(self, name: str) -> str:
        return f"{self.greeting} {name}"


def test_a_guarded_class_is_still_the_class_that_it_was(
    app: flask.Flask, guard: Guard, issuer: Issuer
) -> None:
    guarded = guard.requires()(Orders)
    assert (guarded.__name__, guarded.__module__, guarded.__doc__) == ("Orders", __name__, "Lists orders.")
    assert issubclass(guarded, Orders)
    assert guarded.methods == {"GET"}
    app.add_url_rule("/<name>", view_func=guarded.as_view("orders", "hello"))
    assert app.test_client().get("/ada", headers=bearer(issuer.token())).text == "<hello ada>"


def test_a_guarded_class_asks_before_its_other_decorators(app: flask.Flask, guard: Guard) -> None:
    def never(view: Any) -> Any:
        return lambda: pytest.fail("it was entered")

    @guard.requires()
    class Closed(View):
        decorators: ClassVar[list[Any]] = [never]

    app.add_url_rule("/", view_func=Closed.as_view("closed"))
    assert app.test_client().get("/").status_code == 401


def test_guarding_a_class_leaves_the_class_itself_as_it_was(app: flask.Flask, guard: Guard) -> None:
    guard.requires()(Orders)
    app.add_url_rule("/<name>", view_func=Orders.as_view("orders", "hello"))
    assert app.test_client().get("/ada").text == "<hello ada>"


def test_a_class_that_inherits_from_a_guarded_one_is_guarded(app: flask.Flask, guard: Guard) -> None:
    class Mine(guard.requires()(Orders)):  # type: ignore[misc]
        def post(self, name: str) -> str:
            return name

    app.add_url_rule("/<name>", view_func=Mine.as_view("orders", "hello"))
    client = app.test_client()
    assert [client.get("/ada").status_code, client.post("/ada").status_code] == [401, 401]


def mark(name: str) -> Callable[[Any], Any]:
    """A decorator that says, in the answer, that it is there."""

    def decorate(view: Any) -> Any:
        return lambda *args, **kwargs: f"{name}({view(*args, **kwargs)})"

    return decorate


@pytest.mark.parametrize("kind", [View, MethodView, flask_restx.Resource])
@pytest.mark.parametrize(
    ("decorators", "shown"),
    [
        (lambda parent: [mark("own")], "own(hello)"),
        (lambda parent: [*parent.decorators, mark("own")], "own(parent(hello))"),
        (lambda parent: [], "hello"),
        (lambda parent: (mark("own"),), "own(hello)"),
        (lambda parent: parent.decorators, "parent(hello)"),
    ],
    ids=["other", "more", "none", "tuple", "the same"],
)
def test_a_subclass_with_decorators_of_its_own_is_guarded_once(
    app: flask.Flask, issuer: Issuer, kind: Any, decorators: Any, shown: str
) -> None:
    counted = Guard(issuer.resource_server(keys=issuer.jwks()))
    checks: list[Any] = []
    counted.admit = lambda *given: checks.append(given) or Guard.admit(counted, *given)  # type: ignore[method-assign,func-returns-value]
    serve = {"dispatch_request" if kind is View else "get": lambda self, *args: "hello"}
    parent = type("Parent", (kind,), {**serve, "decorators": [mark("parent")]})
    guarded: Any = counted.requires(scope("a"))(parent)
    child: Any = type("Child", (guarded,), {"decorators": decorators(guarded)})
    grandchild: Any = type("Grandchild", (child,), {})
    given = {"api": None} if kind is flask_restx.Resource else {}
    for view in (child, grandchild):
        app.add_url_rule(f"/{view.__name__}", view_func=view.as_view(view.__name__, **given))
    for name in ("Child", "Grandchild"):
        assert app.test_client().get(f"/{name}").status_code == 401
        assert app.test_client().get(f"/{name}", headers=bearer(issuer.token())).status_code == 403
        checks.clear()
        answer = app.test_client().get(f"/{name}", headers=bearer(issuer.token(scope="a")))
        assert (answer.status_code, len(checks)) == (200, 1)
        if kind is not flask_restx.Resource:
            assert answer.text == shown


def test_a_guarded_subclass_of_a_guarded_class_asks_for_both(
    app: flask.Flask, guard: Guard, issuer: Issuer
) -> None:
    @guard.requires(scope("b"))
    class Child(guard.requires(scope("a"))(Orders)):  # type: ignore[misc]
        decorators: ClassVar[list[Any]] = []

    app.add_url_rule("/<name>", view_func=Child.as_view("orders", "hello"))
    client = app.test_client()
    tokens = [issuer.token(scope=scopes) for scopes in ("a", "b", "a b")]
    assert [client.get("/ada", headers=bearer(token)).status_code for token in tokens] == [403, 403, 200]


def test_methods_of_a_class_can_have_rules_of_their_own(
    app: flask.Flask, guard: Guard, issuer: Issuer
) -> None:
    class Order(MethodView):
        @guard.requires(scope("read"))
        def get(self) -> str:
            return "read"

        @guard.requires(scope("write"))
        async def post(self) -> str:
            return "written"

    app.add_url_rule("/", view_func=Order.as_view("order"))
    client, headers = app.test_client(), bearer(issuer.token(scope="write"))
    assert [client.get("/", headers=headers).status_code, client.post("/", headers=headers).text] == [
        403,
        "written",
    ]


@pytest.mark.parametrize("thing", [dict, object(), "hello", Guard], ids=["dict", "object", "text", "Guard"])
def test_what_is_not_a_view_is_not_decorated(guard: Guard, thing: Any) -> None:
    with pytest.raises(ConfigurationError, match="decorate functions, Views"):
        guard.requires()(thing)


def test_a_decorator_without_parentheses_is_a_mistake_that_is_told(guard: Guard) -> None:
    with pytest.raises(ConfigurationError, match="not a rule"):
        guard.requires(hello)  # type: ignore[arg-type]


def test_the_inner_of_two_decorators_decides_too(app: flask.Flask, guard: Guard, issuer: Issuer) -> None:
    app.add_url_rule("/", "hello", guard.requires(scope("a"))(guard.requires(scope("b"))(hello)))
    client = app.test_client()
    statuses = [
        client.get("/", headers=bearer(issuer.token(scope=scopes))).status_code
        for scopes in ("a", "b", "a b")
    ]
    assert statuses == [403, 403, 200]


def test_it_can_stand_beside_requires_authentication(app: flask.Flask, guard: Guard, issuer: Issuer) -> None:
    authenticated = requires_authentication(issuer.jwks_uri, **trusting(issuer))

    @app.get("/")
    @authenticated
    @guard.requires(scope("a"))
    def view() -> dict[str, Any]:
        return {"g": flask.g.token_body["sub"], "guard": guard.token().subject}

    response = app.test_client().get("/", headers=bearer(issuer.token("ada", "a")))
    assert response.get_json() == {"g": "ada", "guard": "ada"}


# -- blueprints and applications -------------------------------------------------------------------------


def test_what_lies_within_a_protected_blueprint_is_protected(
    app: flask.Flask, guard: Guard, issuer: Issuer
) -> None:
    outer, inner = flask.Blueprint("outer", "api", url_prefix="/outer"), flask.Blueprint("inner", "api")
    guard.protect(outer, scope("a"))
    inner.add_url_rule("/inner", "hello", guard.requires(scope("b"))(hello))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    client = app.test_client()
    statuses = [
        client.get("/outer/inner", headers=bearer(issuer.token(scope=scopes))).status_code
        for scopes in ("a", "b", "a b")
    ]
    assert statuses == [403, 403, 200]


def test_a_protected_application_protects_static_files_and_what_there_is_not(
    guard: Guard, tmp_path: Any
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    app = flask.Flask("api", static_folder=tmp_path, static_url_path="/static")
    guard.protect(app, public_paths="/static/open.txt")
    (tmp_path / "open.txt").write_text("open")
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/static/secret.txt", "/nothing")] == [401, 401]
    with client.get("/static/open.txt") as response:
        assert response.status_code == 200


def test_in_a_protected_application_flask_answers_options_by_itself(app: flask.Flask, guard: Guard) -> None:
    guard.protect(app)
    app.add_url_rule("/", "hello", hello)
    response = app.test_client().options("/")
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Allow"]
    assert app.test_client().options("/nothing").status_code == 401


def test_in_a_protected_application_a_view_for_options_is_a_view(app: flask.Flask, guard: Guard) -> None:
    guard.protect(app)
    app.add_url_rule("/", "hello", hello, methods=["OPTIONS"])
    assert app.test_client().options("/").status_code == 401


@pytest.mark.parametrize("mount", ["", "/shop"])
def test_public_paths_are_those_of_routes_wherever_the_application_stands(
    app: flask.Flask, guard: Guard, mount: str
) -> None:
    guard.protect(app, public_paths={"/health", "/shop/closed"})
    app.add_url_rule("/health", "health", hello)
    app.add_url_rule("/closed", "closed", hello)
    client = Client(DispatcherMiddleware(flask.Flask("outer").wsgi_app, {mount: app.wsgi_app}))
    assert [client.get(f"{mount}/{name}").status_code for name in ("health", "closed")] == [200, 401]


def test_two_resources_in_one_application_each_have_metadata(app: flask.Flask, issuer: Issuer) -> None:
    server = issuer.resource_server(keys=issuer.jwks())
    for path in ("orders", "stock"):
        guard = Guard(server, resource=f"https://api.test/{path}")
        blueprint = flask.Blueprint(path, "api", url_prefix=f"/{path}")
        guard.protect(blueprint)
        blueprint.add_url_rule("/", "hello", hello)
        app.register_blueprint(blueprint)
        guard.install(app)
        guard.install(app)
    client, well_known = app.test_client(), "/.well-known/oauth-protected-resource"
    for path in ("orders", "stock"):
        assert client.get(f"{well_known}/{path}").get_json()["resource"] == f"https://api.test/{path}"
    assert client.get(well_known).get_json()["resource"] == "https://api.test/orders"


def test_the_metadata_name_the_scopes_of_views_that_are_added_later(app: flask.Flask, issuer: Issuer) -> None:
    guard = Guard(issuer.resource_server(), resource="https://api.test")
    guard.install(app)
    app.add_url_rule("/", "hello", guard.requires(scope("later"))(hello))
    document = app.test_client().get("/.well-known/oauth-protected-resource").get_json()
    assert document["scopes_supported"] == ["later"]


# -- whose request it is ---------------------------------------------------------------------------------


def test_there_is_a_token_until_the_end_of_the_request_and_no_longer(
    app: flask.Flask, guard: Guard, issuer: Issuer
) -> None:
    seen: list[Any] = []

    @app.before_request
    def before() -> None:
        seen.append(guard.token_or_none())

    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        seen.append(guard.token().subject)
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        seen.append(guard.token().subject)

    app.add_url_rule("/", "hello", guard.requires()(hello))
    app.test_client().get("/", headers=bearer(issuer.token("ada")))
    assert seen == [None, "ada", "ada"]
    assert guard.token_or_none() is None


def test_where_there_is_no_token_asking_for_one_is_a_mistake(app: flask.Flask, guard: Guard) -> None:
    with pytest.raises(LookupError, match="is its view protected"):
        guard.token()
    with app.test_request_context(), pytest.raises(LookupError, match="is its view protected"):
        guard.token()


def test_within_one_application_context_requests_do_not_find_each_others_token(
    app: flask.Flask, guard: Guard, issuer: Issuer
) -> None:
    app.add_url_rule("/", "hello", guard.requires()(hello))
    app.add_url_rule("/public", "public", lambda: {"token": guard.token_or_none() is not None})
    with app.app_context():  # as fixtures of many test suites do
        assert app.test_client().get("/", headers=bearer(issuer.token())).status_code == 200
        assert app.test_client().get("/public").get_json() == {"token": False}


def test_a_request_that_the_inner_of_two_guards_refuses_is_nobodys(
    app: flask.Flask, guard: Guard, issuer: Issuer
) -> None:
    seen: list[Any] = []

    @app.after_request
    def after(response: flask.Response) -> flask.Response:
        seen.append(guard.token_or_none())
        return response

    other = Guard(Issuer("https://other.test").resource_server())
    app.add_url_rule("/", "hello", guard.requires()(other.requires()(hello)))
    assert app.test_client().get("/", headers=bearer(issuer.token())).status_code == 401
    assert seen == [None]


def record() -> dict[str, Any]:
    made = logging.LogRecord("orders", logging.INFO, __file__, 1, "shipped", None, None)
    TokenFilter().filter(made)
    UserIdFilter("email").filter(made)
    return {name: made.__dict__[name] for name in ("sub", "user_id")}


def test_a_stream_with_its_context_is_logged_for_who_asked(
    app: flask.Flask, guard: Guard, issuer: Issuer
) -> None:
    def chunks() -> Iterator[str]:
        yield json.dumps(record())

    app.add_url_rule(
        "/", "stream", guard.requires()(lambda: flask.Response(flask.stream_with_context(chunks())))
    )
    response = app.test_client().get("/", headers=bearer(issuer.token("ada", email="ada@mail.test")))
    assert json.loads(response.text) == {"sub": "ada", "user_id": "ada@mail.test"}
    assert record() == {"sub": "", "user_id": ""}


# -- flask-restx -----------------------------------------------------------------------------------------


def restx_app(app: flask.Flask, resource: Any) -> flask_restx.Api:
    api = flask_restx.Api(app)
    api.add_resource(resource, "/order")
    return api


def test_in_flask_restx_a_class_a_method_and_method_decorators_can_be_guarded(
    app: flask.Flask, guard: Guard, issuer: Issuer
) -> None:
    api = flask_restx.Api(app, doc=False)

    @api.route("/class")
    @guard.requires(scope("a"))
    class ByClass(flask_restx.Resource):  # type: ignore[misc]
        def get(self) -> dict[str, Any]:
            return {"subject": guard.token().subject}

    @api.route("/method")
    class ByMethod(flask_restx.Resource):  # type: ignore[misc]
        @guard.requires(scope("a"))
        def get(self) -> dict[str, Any]:
            return {"subject": guard.token().subject}

    @api.route("/decorators")
    class ByDecorators(flask_restx.Resource):  # type: ignore[misc]
        method_decorators: ClassVar[list[Any]] = [guard.requires(scope("a"))]

        def get(self) -> dict[str, Any]:
            return {"subject": guard.token().subject}

    client = app.test_client()
    for path in ("/class", "/method", "/decorators"):
        assert client.get(path, headers=bearer(issuer.token("ada", "a"))).get_json() == {"subject": "ada"}
        refused = client.get(path, headers=bearer(issuer.token()))
        assert (refused.status_code, refused.get_json()) == (
            403,
            {"message": "The token does not have the scope that is needed."},
        )
        assert refused.headers["WWW-Authenticate"].endswith('scope="a"')


def test_an_error_handler_of_flask_restx_sees_the_error(app: flask.Flask, guard: Guard) -> None:
    @guard.requires()
    class Order(flask_restx.Resource):  # type: ignore[misc]
        def get(self) -> None:
            """Shows an order."""

    api = restx_app(app, Order)

    def page(refusal: RefusedRequest) -> Any:
        return {"reason": refusal.error.reason}, refusal.code, dict(refusal.get_headers())

    api.errorhandler(RefusedRequest)(page)

    response = app.test_client().get("/order")
    assert (response.status_code, response.get_json()["reason"]) == (401, "no_credentials")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_flask_restx_documents_a_guarded_class_as_ever(app: flask.Flask, guard: Guard) -> None:
    @guard.requires()
    class Order(flask_restx.Resource):  # type: ignore[misc]
        def get(self) -> None:
            """Shows an order."""

    restx_app(app, Order)
    document = app.test_client().get("/swagger.json").get_json()
    assert document["paths"]["/order"]["get"]["summary"] == "Shows an order"
