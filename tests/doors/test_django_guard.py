"""The `Guard` of Django, where it is Django's own: classes, CSRF, logins, OPTIONS, whole sites.

What it has in common with every other door is in tests/conformance; the setting `BEARERGUARD` has a file of
its own.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.template.response import SimpleTemplateResponse
from django.test import RequestFactory
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.http import require_GET

from bearerguard import ConfigurationError, scope
from bearerguard.answer import Answer
from bearerguard.context import verified_token
from bearerguard.django import Guard
from bearerguard.django.response import as_response
from bearerguard.testing import Issuer
from tests.doors_under_test.django_site import site
from tests.doors_under_test.exchange import Answer as Received
from tests.doors_under_test.exchange import Request, ask_asgi, ask_wsgi

CSRF = "django.middleware.csrf.CsrfViewMiddleware"
OVER = pytest.mark.parametrize("over", [WSGIHandler, ASGIHandler], ids=["WSGI", "ASGI"])


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return Guard(issuer.resource_server(keys=issuer.jwks()))


def ask(app: Any, path: str = "/", token: str | None = None, **changes: Any) -> Received:
    fields = [*changes.pop("fields", [])]
    if token is not None:
        fields.append((b"Authorization", f"Bearer {token}".encode()))
    over = ask_wsgi if isinstance(app, WSGIHandler) else ask_asgi
    return over(app, Request(path=path, fields=fields, **changes))[0]


def hello(request: Any) -> HttpResponse:
    return HttpResponse(f"hello {request.auth.subject}")


async def hello_later(request: Any) -> HttpResponse:
    return HttpResponse(f"hello {request.auth.subject}")


class Hello(View):  # type: ignore[misc]  # Django comes without types
    def get(self, request: Any) -> HttpResponse:
        return hello(request)

    def post(self, request: Any) -> HttpResponse:
        return hello(request)


class HelloLater(View):  # type: ignore[misc]  # Django comes without types
    async def get(self, request: Any) -> HttpResponse:
        return hello(request)


def made(kind: Any, **members: Any) -> Any:
    """A class of views of its own."""
    return type("Home", (kind,), members)


# -- ways to decorate ------------------------------------------------------------------------------------


def on_dispatch(kind: type[View]) -> Callable[[Callable[[Any], Any]], Any]:
    """`method_decorator` on `dispatch`, the usual way with other decorators."""
    return lambda decorate: method_decorator(decorate, name="dispatch")(made(kind)).as_view()


def in_dispatch(kind: type[View]) -> Callable[[Callable[[Any], Any]], Any]:
    """The decorator on a `dispatch` of the class's own."""

    def make(decorate: Callable[[Any], Any]) -> Any:
        def dispatch(self: Any, request: Any) -> Any:
            return kind.dispatch(self, request)

        return made(kind, dispatch=decorate(dispatch)).as_view()

    return make


def on_method(kind: type[View]) -> Callable[[Callable[[Any], Any]], Any]:
    return lambda decorate: made(kind, get=decorate(kind.get)).as_view()


WAYS: dict[str, Callable[[Callable[[Any], Any]], Any]] = {
    "function": lambda decorate: decorate(hello),
    "async function": lambda decorate: decorate(hello_later),
    "class": lambda decorate: decorate(Hello).as_view(),
    "async class": lambda decorate: decorate(HelloLater).as_view(),
    "what as_view returns": lambda decorate: decorate(Hello.as_view()),
    "what as_view of an async class returns": lambda decorate: decorate(HelloLater.as_view()),
    "subclass": lambda decorate: made(decorate(Hello)).as_view(),
    "method_decorator": on_dispatch(Hello),
    "method_decorator, async": on_dispatch(HelloLater),
    "dispatch": in_dispatch(Hello),
    "dispatch, async": in_dispatch(HelloLater),
    "method": on_method(Hello),
    "async method": on_method(HelloLater),
    "below another decorator": lambda decorate: require_GET(decorate(hello)),
}


@OVER
@pytest.mark.parametrize("way", WAYS)
def test_wherever_a_rule_stands_it_lets_in_and_refuses_with_its_challenge(
    way: str, over: Any, guard: Guard, issuer: Issuer
) -> None:
    app = site([path("", WAYS[way](guard.requires(scope("orders:read"))))], over=over)
    assert ask(app, token=issuer.token("ada", "orders:read")).body == b"hello ada"
    answers = [ask(app, token=token) for token in (None, issuer.expired(), issuer.token(scope="other"))]
    assert [answer.status for answer in answers] == [401, 401, 403]
    assert [answer.challenge.get("error") for answer in answers] == [
        None,
        "invalid_token",
        "insufficient_scope",
    ]


@OVER
@pytest.mark.parametrize("way", WAYS)
def test_wherever_a_rule_stands_trouble_at_the_provider_is_a_503(way: str, over: Any) -> None:
    issuer = Issuer(f"https://{'async' if over is ASGIHandler else 'sync'}.test/{way.replace(' ', '-')}")
    app = site([path("", WAYS[way](Guard(issuer.resource_server()).requires()))], over=over)
    with issuer.outage():
        answer = ask(app, token=issuer.token())
    assert (answer.status, answer.challenge) == (503, {})
    assert int(answer.one("retry-after")) >= 1


def test_a_subclass_with_a_dispatch_of_its_own_is_not_entered_without_a_token(
    guard: Guard, issuer: Issuer
) -> None:
    entered = []

    class Mine(guard.requires()(Hello)):  # type: ignore[misc]  # a class that is made here
        def dispatch(self, request: Any) -> Any:
            entered.append(request)
            return super().dispatch(request)

    app = site([path("", Mine.as_view())])
    assert (ask(app).status, entered) == (401, [])
    assert ask(app, token=issuer.token("ada")).body == b"hello ada"


def test_a_class_keeps_its_name_its_module_and_its_words(guard: Guard) -> None:
    class Orders(View):  # type: ignore[misc]  # Django comes without types
        """All orders."""

    guarded = guard.requires()(Orders)
    assert (guarded.__name__, guarded.__module__, guarded.__doc__) == ("Orders", __name__, "All orders.")
    assert guarded.__qualname__ == Orders.__qualname__
    assert guarded.as_view().view_class is guarded
    assert not getattr(Orders.as_view(), "csrf_exempt", False), "the class itself is left as it was"


def test_each_method_of_a_class_may_have_a_rule_of_its_own(guard: Guard, issuer: Issuer) -> None:
    class Orders(View):  # type: ignore[misc]  # Django comes without types
        @guard.requires(scope("orders:read"))
        def get(self, request: Any, number: int) -> HttpResponse:
            return HttpResponse(f"order {number} of {request.auth.subject}")

        @guard.requires(scope("orders:write"))
        def post(self, request: Any, number: int) -> HttpResponse:
            return HttpResponse("written")

    app = site([path("orders/<int:number>", guard.requires()(Orders).as_view())])
    reader = issuer.token("ada", "orders:read")
    assert ask(app, "/orders/7", reader).body == b"order 7 of ada"
    assert ask(app, "/orders/7", reader, method="POST").challenge["scope"] == "orders:write"
    assert ask(app, "/orders/7", method="POST").status == 401


@pytest.mark.parametrize("what", [dict, ("patterns", "shop", "shop"), 7])
def test_what_is_not_a_view_is_an_error_that_says_what_is_one(what: Any, guard: Guard) -> None:
    with pytest.raises(ConfigurationError, match="decorate functions and Views"):
        guard.requires()(what)


# -- what Django would do to a request with a token --------------------------------------------------------


def test_a_view_that_needs_a_token_needs_no_csrf_token(guard: Guard, issuer: Issuer) -> None:
    for home in (guard.requires()(hello), guard.requires()(Hello).as_view()):
        app = site([path("", home)], CSRF)
        assert ask(app, token=issuer.token("ada"), method="POST").body == b"hello ada"
        assert ask(app, method="POST").status == 401


def test_where_a_token_is_optional_the_csrf_check_stays(guard: Guard, issuer: Issuer) -> None:
    app = site([path("", guard.optional()(lambda request: HttpResponse("entered")))], CSRF)
    assert ask(app).body == b"entered"
    assert ask(app, method="POST").status == 403


class Anonymous:
    """As `AuthenticationMiddleware` has it where nobody has logged in."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        request.user = types.SimpleNamespace(is_authenticated=False)
        return self.get_response(request)


LOGIN = [f"{__name__}.Anonymous", "django.contrib.auth.middleware.LoginRequiredMiddleware"]


def test_nobody_with_a_token_is_sent_to_the_login_page(issuer: Issuer) -> None:
    guard = Guard(issuer.resource_server(keys=issuer.jwks()), resource="https://api.test")
    routes = [
        *guard.urls,
        path("", guard.requires()(hello)),
        path("class", guard.requires()(Hello).as_view()),
        path("greeting", guard.optional()(lambda request: HttpResponse("hello"))),
        path("page", lambda request: HttpResponse("a page")),
    ]
    app = site(routes, *LOGIN)
    assert ask(app, "/page").status == 302
    assert [ask(app, where, issuer.token("ada")).status for where in ("/", "/class")] == [200, 200]
    assert [ask(app, where).status for where in ("/", "/class", "/greeting")] == [401, 401, 200]
    assert ask(app, "/.well-known/oauth-protected-resource").status == 200


def test_the_user_is_left_to_the_site(guard: Guard, issuer: Issuer) -> None:
    view = guard.requires()(login_required(hello))
    answer = ask(site([path("", view)], f"{__name__}.Anonymous"), token=issuer.token("ada"))
    assert answer.status == 302, "a token logs nobody in"


# -- OPTIONS ---------------------------------------------------------------------------------------------

PREFLIGHT = [(b"Origin", b"https://app.test"), (b"Access-Control-Request-Method", b"POST")]


@OVER
def test_a_browser_is_told_what_it_may_send_and_enters_no_view(
    over: Any, guard: Guard, issuer: Issuer
) -> None:
    entered = []

    def view(request: Any) -> HttpResponse:
        entered.append(request)
        return HttpResponse("")

    class Careless(Hello):
        def setup(self, request: Any) -> None:
            entered.append(request)
            super().setup(request)

    routes = [path("", view), path("class", Careless.as_view())]
    decorated = [path("", guard.requires()(view)), path("class", guard.requires()(Careless).as_view())]
    for app in (site(decorated, over=over), site(routes, over=over, protected={"guard": guard})):
        for fields in ([], PREFLIGHT):
            assert ask(app, method="OPTIONS", fields=fields).status == 200
            answer = ask(app, "/class", method="OPTIONS", fields=fields)
            assert (answer.status, answer.one("allow")) == (200, "GET, POST, HEAD, OPTIONS")
        assert ask(app, "/class", issuer.expired(), method="OPTIONS").status == 401
        assert entered == []
    assert ask(app, "/class", issuer.token(), method="OPTIONS").status == 200
    assert entered


def test_the_methods_that_are_told_are_those_that_djangos_own_view_tells(guard: Guard) -> None:
    request = RequestFactory().options("/")
    for kind in (Hello, HelloLater, made(Hello, head=Hello.get)):
        theirs = View.options(kind(), request) if kind is not HelloLater else None
        ours = guard.requires()(kind).as_view()(request)
        told = asyncio.run(ours) if asyncio.iscoroutine(ours) else ours
        names = set(told.headers["Allow"].split(", "))
        # An instance that has been set up has a `head` where it has a `get`.
        assert theirs is None or names == {*theirs.headers["Allow"].split(", "), "HEAD"}
        assert {"GET", "HEAD", "OPTIONS"} <= names


# -- whole sites -----------------------------------------------------------------------------------------


def whole(guard: Guard, *middleware: str, over: Any = WSGIHandler, **options: Any) -> Any:
    def shown(request: Any, **_: Any) -> HttpResponse:
        return HttpResponse(f"{request.path_info}: {request.auth and request.auth.subject}")

    routes = [path("", shown), path("<path:where>", shown)]
    return site(routes, *middleware, over=over, protected={"guard": guard, **options})


@OVER
def test_a_public_prefix_opens_what_stands_below_it_and_nothing_else(
    over: Any, guard: Guard, issuer: Issuer
) -> None:
    app = whole(guard, over=over, public_paths="/health", public_prefixes=["/admin", "/static/"])
    for open_path in ("/health", "/admin/", "/admin/users/1/", "/static/app.css", "/static/a..b/c"):
        for token in (None, issuer.token("ada"), issuer.forged()):
            assert ask(app, open_path, token).body == f"{open_path}: None".encode(), open_path
    for closed in (
        "/",
        "/administrator",
        "/admin",
        "/x/admin/",
        "/Admin/",
        "//admin/",
        "/health/",
        "/static",
    ):
        assert ask(app, closed).status == 401, closed
        assert ask(app, closed, issuer.token("ada")).body == f"{closed}: ada".encode(), closed


STEPS_UP = {
    "a step up": ("/static/../orders", None),
    "a step up at the end": ("/static/..", None),
    "a step that is none": ("/static/./orders", None),
    "two steps up": ("/static/x/../../orders", None),
    "encoded": ("/static/../orders", b"/static/%2e%2e/orders"),
    "half encoded": ("/static/../orders", b"/static/.%2E/orders"),
    "encoded twice": ("/static/%2e%2e/orders", b"/static/%252e%252e/orders"),
    "an encoded slash": ("/static/..//orders", b"/static/..%2Forders"),
    "a slash that is encoded twice": ("/static/..%2Forders", b"/static/..%252Forders"),
    "a backslash": ("/static/..\\orders", b"/static/..%5corders"),
    "an encoded dot in a name": ("/static/a.b", b"/static/a%2eb"),
}


@pytest.mark.parametrize("name", STEPS_UP)
def test_a_path_that_may_leave_its_prefix_is_not_public(name: str, guard: Guard) -> None:
    decoded, raw = STEPS_UP[name]
    for over in (WSGIHandler, ASGIHandler):
        app = whole(guard, over=over, public_paths=[decoded], public_prefixes=["/static/"])
        if over is ASGIHandler:
            assert ask(app, decoded, raw_path=raw).status == 401
        elif decoded != "/static/a.b":  # of which no WSGI server but some tell how it was written
            assert ask(app, decoded).status == 401


def test_a_query_makes_no_path_ambiguous(guard: Guard) -> None:
    app = whole(guard, public_paths=["/health"])
    assert ask(app, "/health", query="file=..%2f%2e%2e%5c").status == 200


@pytest.mark.parametrize("given", ["/", "//", "admin/", "", ["/x", ""], 7, [b"/x"]])
def test_prefixes_that_are_not_paths_or_open_everything_are_refused(given: Any, guard: Guard) -> None:
    with pytest.raises(ConfigurationError, match="public_prefixes is"):
        whole(guard, public_prefixes=given)


def test_behind_the_middleware_a_token_needs_no_csrf_token_and_a_public_path_does(
    guard: Guard, issuer: Issuer
) -> None:
    app = whole(guard, CSRF, public_paths={"/form"})
    assert ask(app, "/orders", issuer.token("ada"), method="POST").body == b"/orders: ada"
    for token in (None, issuer.token("ada")):
        assert ask(app, "/form", token, method="POST").status == 403


def test_rules_of_a_site_and_of_a_view_are_both_asked(guard: Guard, issuer: Issuer) -> None:
    routes = [path("", guard.requires(scope("b"))(hello))]
    app = site(routes, protected={"guard": guard, "rule": scope("a")})
    statuses = [ask(app, token=issuer.token("ada", scopes)).status for scopes in ("a", "b", "a b")]
    assert statuses == [403, 403, 200]


def test_what_nobody_serves_is_refused_too(guard: Guard, issuer: Issuer) -> None:
    app = site([path("orders", hello)], protected={"guard": guard})
    assert [ask(app, "/nothing").status, ask(app, "/nothing", issuer.token()).status] == [401, 404]


# -- answers, and what Django makes of them ----------------------------------------------------------------


@OVER
def test_two_challenges_stand_in_two_fields(over: Any) -> None:
    fields = [
        ("Content-Type", "text/plain"),
        ("WWW-Authenticate", "Bearer"),
        ("WWW-Authenticate", 'DPoP algs="ES256"'),
    ]
    app = site([path("", lambda request: as_response(Answer(401, fields, b"no")))], over=over)
    answer = ask(app)
    assert answer.all("www-authenticate") == ["Bearer", 'DPoP algs="ES256"']
    assert answer.all("content-type") == ["text/plain"]


class PagesOfItsOwn:
    """The site words refusals by `process_response`-like middleware, as themes do."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        response = self.get_response(request)
        if response.status_code in (401, 403, 503):
            response.content = b"sorry"
        return response


def test_a_site_may_word_refusals_and_the_challenge_stays(guard: Guard, issuer: Issuer) -> None:
    app = site([path("", guard.requires(scope("a"))(hello))], f"{__name__}.PagesOfItsOwn")
    for token, status in ((None, 401), (issuer.token(), 403)):
        answer = ask(app, token=token)
        assert (answer.status, answer.body) == (status, b"sorry")
        assert "www-authenticate" in dict(answer.fields)


@OVER
def test_an_error_of_the_view_is_djangos_and_has_no_challenge(
    over: Any, guard: Guard, issuer: Issuer
) -> None:
    def forbidden(request: Any) -> Any:
        raise PermissionDenied

    def broken(request: Any) -> Any:
        raise ZeroDivisionError

    routes = [path("forbidden", guard.requires()(forbidden)), path("broken", guard.requires()(broken))]
    app = site(routes, over=over)
    for where, status in (("/forbidden", 403), ("/broken", 500)):
        answer = ask(app, where, issuer.token())
        assert (answer.status, answer.all("www-authenticate")) == (status, [])
        assert verified_token() is None


# -- who is served, at the edges of a request --------------------------------------------------------------


class Told:
    """What a middleware outside is told of who is served, once the view has answered."""

    lines: list[str | None]

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        response = self.get_response(request)
        token = verified_token()
        Told.lines.append(None if token is None else token.subject)
        return response


class Replaced:
    """Puts a response of its own in the place of the view's, which nobody closes then."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        self.kept = request, self.get_response(request)  # so that nothing is collected
        return HttpResponse("replaced")


def test_middleware_outside_still_finds_who_was_served_until_the_response_is_closed(
    guard: Guard, issuer: Issuer
) -> None:
    Told.lines = []
    app = site(
        [path("", guard.requires()(hello)), path("public", lambda request: HttpResponse(""))],
        f"{__name__}.Told",
    )
    ask(app, token=issuer.token("ada"))
    ask(app, "/public")
    assert (Told.lines, verified_token()) == (["ada", None], None)


@pytest.mark.parametrize("outcome", ["replaced", "broken", "refused"])
def test_the_next_request_on_a_pooled_thread_finds_nobody_whatever_became_of_the_last(
    outcome: str, guard: Guard, issuer: Issuer
) -> None:
    kept, found = [], []

    def view(request: Any) -> HttpResponse:
        kept.append(request)
        if outcome == "broken":
            raise ZeroDivisionError
        return HttpResponse("")

    def public(request: Any) -> HttpResponse:
        found.append(verified_token())
        return HttpResponse("")

    middleware = [f"{__name__}.Replaced"] if outcome == "replaced" else []
    app = site([path("", guard.requires()(view)), path("public", public)], *middleware)
    ask(app, token=issuer.expired() if outcome == "refused" else issuer.token("ada"))
    ask(app, "/public")
    assert found == [None]
    assert verified_token() is None


def test_a_template_names_who_is_served_while_it_is_rendered(guard: Guard, issuer: Issuer) -> None:
    class Rendered(SimpleTemplateResponse):  # type: ignore[misc]  # Django comes without types
        @property
        def rendered_content(self) -> str:
            token = verified_token()
            return "nobody" if token is None else str(token.subject)

    view = guard.requires()(lambda request: Rendered("none.html"))
    assert ask(site([path("", view)]), token=issuer.token("ada")).body == b"ada"


def test_files_are_sent_as_the_server_likes_to_send_them(guard: Guard, issuer: Issuer, tmp_path: Any) -> None:
    file = tmp_path / "terms.txt"
    file.write_bytes(b"be kind")
    responses: list[Any] = []

    def terms(request: Any) -> FileResponse:
        responses.append(FileResponse(file.open("rb")))
        return responses[-1]

    for app in (site([path("", guard.requires()(terms))]), whole_of(guard, terms)):
        assert ask(app, token=issuer.token()).body == b"be kind"
        assert responses[-1].file_to_stream is not None, "wrapped, it could not be handed to sendfile"
        assert responses[-1].closed


def whole_of(guard: Guard, view: Any) -> Any:
    return site([path("", view)], protected={"guard": guard})


def test_a_stream_is_closed_once_and_names_its_user_while_it_is_made(guard: Guard, issuer: Issuer) -> None:
    told: list[Any] = []

    def chunks() -> Any:
        try:
            yield verified_token().subject  # type: ignore[union-attr]  # that is what is tested
        finally:
            told.append(verified_token())

    for app in (
        site([path("", guard.requires()(lambda request: StreamingHttpResponse(chunks())))]),
        whole_of(guard, lambda request: StreamingHttpResponse(chunks())),
    ):
        assert ask(app, token=issuer.token("ada")).body == b"ada"
        assert [token.subject for token in told] == ["ada"]
        told.clear()
