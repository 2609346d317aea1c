"""The `Guard` of REST framework, where it is its own: exceptions, permissions, users, throttles.

What it has in common with every other door is in tests/conformance, what it documents in a file of its own.
"""

from __future__ import annotations

import contextvars
import operator
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from django.urls import path
from rest_framework.authentication import BaseAuthentication, BasicAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.permissions import NOT, AllowAny, BasePermission, IsAuthenticated, SingleOperandHolder
from rest_framework.request import Request as DRFRequest
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView, exception_handler

from bearerguard import AccessToken, AuthError, ConfigurationError, ResourceServer, role, scope
from bearerguard.answer import BEARER, ChallengeContext, Scheme, problem_details
from bearerguard.drf import Guard, RefusedRequest, TokenUser
from bearerguard.testing import Issuer
from tests.doors_under_test.django_site import site
from tests.doors_under_test.exchange import Answer, Request, ask_wsgi


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return Guard(issuer.resource_server(keys=issuer.jwks()), realm="shop")


def hello(request: Any) -> Response:
    return Response({"sub": request.auth and request.auth.subject, "user": str(request.user)})


def view(
    authentication: list[Any], permissions: list[Any], show: Callable[[Any], Any] = hello, **members: Any
) -> Any:
    """A view of REST framework that answers to GET and POST."""

    def handle(self: Any, request: Any) -> Any:
        return show(request)

    members |= {"authentication_classes": authentication, "permission_classes": permissions}
    kind: Any = type("Orders", (APIView,), {"get": handle, "post": handle, **members})
    return kind.as_view()


def guarded(guard: Guard, rule: Any = None, *, show: Callable[[Any], Any] = hello, **members: Any) -> Any:
    return view([guard.authentication()], [guard.requires(rule)], show, **members)


def ask(app: Any, token: str | None = None, **changes: Any) -> Answer:
    fields = [*changes.pop("fields", [])]
    if token is not None:
        fields.append((b"Authorization", f"Bearer {token}".encode()))
    if not isinstance(app, WSGIHandler):
        app = site([path("", app)])
    return ask_wsgi(app, Request(fields=fields, **changes))[0]


# -- a 401 stays one -------------------------------------------------------------------------------------


class Tokens(BaseAuthentication):  # type: ignore[misc]  # REST framework comes without types
    """An authenticator without a challenge, as that of sessions is."""

    def authenticate(self, request: Any) -> Any:
        return None


@pytest.mark.parametrize("others", [[], [SessionAuthentication], [Tokens], [BasicAuthentication]])
def test_whichever_authenticator_stands_first_a_refusal_keeps_its_status_and_its_challenge(
    others: list[Any], guard: Guard, issuer: Issuer
) -> None:
    rule = guard.requires(scope("orders"))
    for authenticators in ([*others, guard.authentication()], [guard.authentication(), *others]):
        app = view(authenticators, [rule])
        answers = [ask(app, token) for token in (None, issuer.expired(), issuer.token(scope="other"))]
        assert [answer.status for answer in answers] == [401, 401, 403]
        codes = [answer.challenge.get("error") for answer in answers]
        assert codes == [None, "invalid_token", "insufficient_scope"]
        assert [answer.challenge["realm"] for answer in answers] == ["shop"] * 3
        assert answers[0].challenge["scope"] == answers[2].challenge["scope"] == "orders"
        assert ask(app, issuer.token("ada", "orders")).json == {"sub": "ada", "user": "ada"}


def test_a_permission_of_others_has_the_challenge_too(guard: Guard, issuer: Issuer) -> None:
    app = view([guard.authentication()], [IsAuthenticated])
    assert (ask(app).status, ask(app).challenge) == (401, {"realm": "shop"})
    assert ask(app, issuer.token("ada")).status == 200


def test_trouble_at_the_provider_is_a_503_that_says_when_to_come_again() -> None:
    issuer = Issuer("https://drf.test")
    for number, permissions in enumerate(([], [AllowAny], [Guard(issuer.resource_server()).requires()])):
        own = Issuer(f"https://drf.test/{number}")
        guard = Guard(own.resource_server())
        with own.outage():
            answer = ask(view([guard.authentication()], permissions), own.token())
        assert (answer.status, answer.challenge) == (503, {})
        assert int(answer.one("retry-after")) >= 1


def test_without_permissions_a_token_is_optional_and_a_bad_one_refused(guard: Guard, issuer: Issuer) -> None:
    for permissions in ([], [guard.optional()]):
        app = view([guard.authentication()], permissions)
        assert ask(app).json == {"sub": None, "user": "AnonymousUser"}
        assert ask(app, issuer.token("ada")).json == {"sub": "ada", "user": "ada"}
        assert ask(app, issuer.expired()).status == 401


# -- what words a refusal ----------------------------------------------------------------------------------


def silent(error: Any, context: Any) -> Response:
    """An exception handler that forgets every header field."""
    return Response({"sorry": True}, status=error.status_code)


def renamed(error: Any, context: Any) -> Any:
    response = exception_handler(error, context)
    response.data = {"code": response.status_code}
    return response


def elsewhere(error: Any, context: Any) -> Response:
    return Response({"login": "/login"}, status=302)


def mine(error: Any, context: Any) -> Response:
    return Response({}, status=error.status_code, headers={"WWW-Authenticate": 'Bearer realm="mine"'})


HERE = __name__


@pytest.mark.parametrize("words", ["silent", "renamed"])
def test_challenge_and_retry_after_stay_whatever_words_the_refusal(words: str) -> None:
    issuer = Issuer(f"https://{words}.test")
    guard = Guard(issuer.resource_server())
    with override_settings(REST_FRAMEWORK={"EXCEPTION_HANDLER": f"{HERE}.{words}"}):
        app = guarded(guard, scope("orders"))
        with issuer.outage():
            down = ask(app, issuer.token())
        assert (down.status, len(down.all("retry-after")), down.challenge) == (503, 1, {})
        issuer.clock.advance(60)
        for token, status in ((None, 401), (issuer.expired(), 401), (issuer.token(), 403)):
            answer = ask(app, token)
            assert (answer.status, len(answer.all("www-authenticate"))) == (status, 1)
            assert ("error" in answer.challenge) is (token is not None)


def test_an_answer_about_something_else_gets_no_challenge(guard: Guard) -> None:
    with override_settings(REST_FRAMEWORK={"EXCEPTION_HANDLER": f"{HERE}.elsewhere"}):
        answer = ask(guarded(guard))
    assert (answer.status, answer.all("www-authenticate")) == (302, [])


def test_a_challenge_of_the_applications_own_is_left_as_it_is(guard: Guard) -> None:
    with override_settings(REST_FRAMEWORK={"EXCEPTION_HANDLER": f"{HERE}.mine"}):
        assert ask(guarded(guard)).all("www-authenticate") == ['Bearer realm="mine"']


def test_errors_of_the_view_are_rest_frameworks_and_have_no_challenge(guard: Guard, issuer: Issuer) -> None:
    def failing(error: Exception) -> Callable[[Any], Any]:
        def show(request: Any) -> Any:
            raise error

        return show

    for error, status in ((NotFound(), 404), (ZeroDivisionError(), 500)):
        answer = ask(guarded(guard, show=failing(error)), issuer.token())
        assert (answer.status, answer.all("www-authenticate")) == (status, [])


def test_the_body_is_the_guards_in_the_format_of_the_client(issuer: Issuer) -> None:
    server = issuer.resource_server(keys=issuer.jwks())
    assert ask(guarded(Guard(server))).json["error"] == "no_credentials"
    problem = ask(guarded(Guard(server, body=problem_details))).json
    assert (problem["status"], problem["title"]) == (401, "Unauthorized")

    def words(error: AuthError) -> tuple[str, bytes]:
        return "text/plain; charset=utf-8", f"Nö: {error.reason}".encode()

    assert ask(guarded(Guard(server, body=words))).json == {"detail": "Nö: no_credentials"}


def test_a_handler_finds_the_error_and_its_code(guard: Guard, issuer: Issuer) -> None:
    seen: list[RefusedRequest] = []

    def handle(self: Any, error: Any) -> Any:
        seen.append(error)
        return APIView.handle_exception(self, error)

    ask(guarded(guard, scope("orders"), handle_exception=handle), issuer.token(scope="b"))
    assert (seen[0].error.reason, seen[0].error.rule) == ("scope", scope("orders"))
    assert seen[0].get_codes() == {"message": "insufficient_scope", "error": "insufficient_scope"}
    assert seen[0].get_full_details()["message"]["code"] == "insufficient_scope"


def test_two_challenges_stand_in_two_fields(issuer: Issuer) -> None:
    guard = Guard(issuer.resource_server(keys=issuer.jwks()))
    guard.context = ChallengeContext(schemes=(BEARER, Scheme("DPoP", ("ES256",))))
    for app in (guarded(guard), guarded(guard, scope("orders"))):
        for token in (None, issuer.expired(), issuer.token()):
            answer = ask(app, token)
            if answer.status != 200:
                assert [one.split(" ")[0] for one in answer.all("www-authenticate")] == ["Bearer", "DPoP"]


by_force: Any = force_authenticate  # which has no types


# -- rules that combine ------------------------------------------------------------------------------------

ADMIN = role("admin")
READ, WRITE = scope("orders:read"), scope("orders:write")

COMBINED: dict[str, tuple[Callable[[Guard], Any], Any]] = {
    "|": (lambda g: g.requires(READ) | g.requires(ADMIN), READ | ADMIN),
    "| the other way": (lambda g: g.requires(ADMIN) | g.requires(READ), ADMIN | READ),
    "&": (lambda g: g.requires(READ) & g.requires(ADMIN), READ & ADMIN),
    "~": (lambda g: ~g.requires(ADMIN), ~ADMIN),
    "~~": (lambda g: ~~g.requires(ADMIN), ADMIN),
    "~ of a combination": (lambda g: ~(g.requires(READ) | g.requires(ADMIN)), ~(READ | ADMIN)),
    "nested": (
        lambda g: (g.requires(READ) | g.requires(WRITE)) & ~g.requires(ADMIN) | g.requires(ADMIN & WRITE),
        (READ | WRITE) & ~ADMIN | ADMIN & WRITE,
    ),
}
GRANTED = [("", []), ("orders:read", []), ("orders:write", ["admin"]), ("orders:read", ["admin"])]


@pytest.mark.parametrize("name", COMBINED)
def test_permissions_of_a_guard_combine_as_their_rules_do(name: str, guard: Guard, issuer: Issuer) -> None:
    make, rule = COMBINED[name]
    permission = make(guard)
    assert permission.rule == rule
    app, alone = view([guard.authentication()], [permission]), guarded(guard, rule)
    assert ask(app).status == 401
    for scopes, roles in GRANTED:
        token = issuer.token("ada", scopes, roles=roles)
        one, other = ask(app, token), ask(alone, token)
        assert (one.status, one.all("www-authenticate")) == (other.status, other.all("www-authenticate"))


def test_combined_rules_are_in_the_metadata(issuer: Issuer) -> None:
    guard = Guard(issuer.resource_server(), resource="https://api.test")
    assert guard.requires(READ) | guard.requires(WRITE)
    assert guard.metadata()["scopes_supported"] == ["orders:read", "orders:write"]


class Staff(BasePermission):  # type: ignore[misc]  # REST framework comes without types
    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.META.get("HTTP_X_STAFF"))


NOT_STAFF: Any = SingleOperandHolder(operator_class=NOT, op1_class=Staff)
STAFF = [(b"X-Staff", b"1")]
MIXED: dict[str, Callable[[Any], Any]] = {
    "ours | theirs": lambda ours: ours | Staff,
    "theirs | ours": lambda ours: Staff | ours,
    "three": lambda ours: Staff & AllowAny | ours,
    "and then or": lambda ours: (ours & AllowAny) | Staff,
    "or twice": lambda ours: (ours | Staff) | Staff,
    "theirs inverted twice": lambda ours: ours | ~NOT_STAFF,
}


@pytest.mark.parametrize("name", MIXED)
def test_a_permission_that_refuses_leaves_the_word_to_the_others_of_a_combination(
    name: str, guard: Guard, issuer: Issuer
) -> None:
    app = view([guard.authentication()], [MIXED[name](guard.requires(ADMIN))])
    assert ask(app, issuer.token(roles=["admin"])).status == 200
    assert [ask(app, issuer.token(), fields=STAFF).status, ask(app, fields=STAFF).status] == [200, 200]
    assert [ask(app, issuer.token()).status, ask(app).status] == [403, 401]
    assert ask(app).challenge == {"realm": "shop"}


BOTH: dict[str, Callable[[Any], Any]] = {
    "ours & theirs": lambda ours: ours & Staff,
    "theirs & ours": lambda ours: Staff & ours,
    "after or": lambda ours: (ours | AllowAny) & ours & Staff,
    "three": lambda ours: (Staff & AllowAny) & ours,
}


@pytest.mark.parametrize("name", BOTH)
def test_both_of_ours_and_theirs_are_asked(name: str, guard: Guard, issuer: Issuer) -> None:
    app, admin = (
        view([guard.authentication()], [BOTH[name](guard.requires(ADMIN))]),
        issuer.token(roles=["admin"]),
    )
    assert ask(app, admin, fields=STAFF).status == 200
    assert [ask(app, admin).status, ask(app, issuer.token(), fields=STAFF).status] == [403, 403]
    assert ask(app, fields=STAFF).status == 401


@pytest.mark.parametrize("name", ["ours & theirs", "theirs & ours", "after or", "ours | theirs", "or twice"])
def test_a_combination_with_others_is_not_inverted_as_that_would_need_no_token(
    name: str, guard: Guard
) -> None:
    with pytest.raises(ConfigurationError, match="requests without a token"):
        operator.invert({**BOTH, **MIXED}[name](guard.requires(ADMIN)))


def test_what_is_optional_is_not_combined(guard: Guard) -> None:
    optional, required = guard.optional(), guard.requires()
    ways: list[Callable[[], Any]] = [
        lambda: operator.or_(optional, required),
        lambda: operator.and_(required, optional),
        lambda: operator.invert(optional),
    ]
    for make in ways:
        with pytest.raises(ConfigurationError, match="asks for nothing"):
            make()


def test_permissions_of_two_guards_each_want_a_token_of_their_own(issuer: Issuer) -> None:
    other_issuer = Issuer("https://other.test")
    one, other = (Guard(i.resource_server(keys=i.jwks())) for i in (issuer, other_issuer))
    both = [one.authentication(), other.authentication()]
    with pytest.raises(ConfigurationError, match="no authentication of that guard"):
        view([one.authentication()], [other.requires()])(APIRequestFactory().get("/"))
    app = view([one.authentication()], [one.requires() | other.requires()])
    assert ask(app, issuer.token()).status == 200
    assert ask(view(both, [other.requires()]), issuer.token()).status == 401


def test_a_permission_without_its_authentication_is_an_error_that_says_what_to_write(guard: Guard) -> None:
    app = view([SessionAuthentication], [guard.requires()])
    with pytest.raises(ConfigurationError, match=r"authentication_classes = \[guard.authentication\(\)\]"):
        app(APIRequestFactory().get("/"))


def test_a_request_that_a_test_authenticates_by_force_needs_a_verified_token(
    guard: Guard, issuer: Issuer
) -> None:
    app = guarded(guard, READ)
    for scopes, status in (("orders:read", 200), ("other", 403)):
        request = APIRequestFactory().get("/")
        token = guard.server.verify(issuer.token("ada", scopes))
        by_force(request, user=TokenUser(token), token=token)
        assert app(request).status_code == status
    request = APIRequestFactory().get("/")
    by_force(request, user=object(), token="not one")
    assert app(request).status_code == 401


# -- users -----------------------------------------------------------------------------------------------


class Once(UserRateThrottle):  # type: ignore[misc]  # REST framework comes without types
    rate: ClassVar[Any] = "1/min"


def test_a_throttle_takes_no_two_subjects_for_one(issuer: Issuer) -> None:
    other_issuer = Issuer("https://other.test")
    providers = [i.provider(keys=i.jwks(), name=i.url) for i in (issuer, other_issuer)]
    guard = Guard(ResourceServer(*providers, clock=issuer.clock))
    app = guarded(guard, throttle_classes=[type("Throttle", (Once,), {"scope": issuer.token()[-8:]})])
    tokens = [issuer.token("ada"), issuer.token("bob"), other_issuer.token("ada")]
    assert [ask(app, token).status for token in tokens] == [200, 200, 200]
    assert [ask(app, issuer.token("ada")).status, ask(app, tokens[2]).status] == [429, 429]


def test_a_user_without_users_is_told_by_issuer_and_subject(guard: Guard, issuer: Issuer) -> None:
    def user(**claims: Any) -> TokenUser:
        return TokenUser(guard.server.verify(issuer.token(**claims)))

    ada = user(sub="ada")
    assert ada == user(sub="ada", jti="another")
    assert ada != user(sub="bob")
    assert ada != "ada"
    assert len({ada, user(sub="ada"), user(sub="bob")}) == 2
    assert ada.pk == ada.id
    assert ada.pk.isalnum()  # a cache takes it as a key
    assert (str(ada), ada.get_username(), ada.is_authenticated) == ("ada", "ada", True)
    clients = [user(sub=None, client_id=name) for name in ("web", "app")]
    assert [str(client) for client in clients] == ["web", "app"]
    assert clients[0] != clients[1]


def test_a_site_maps_tokens_to_users_of_its_own(guard: Guard, issuer: Issuer) -> None:
    known = {"ada": "Ada Lovelace"}

    def user_of(token: AccessToken) -> Any:
        if token.subject not in known:
            raise AuthenticationFailed("Nobody here has that name.")
        return known[token.subject]

    app = view([guard.authentication(user=user_of)], [guard.requires()])
    assert ask(app, issuer.token("ada")).json == {"sub": "ada", "user": "Ada Lovelace"}
    answer = ask(app, issuer.token("eve"))
    assert (answer.status, answer.challenge) == (401, {"realm": "shop"})


def test_a_mapping_that_is_none_is_an_error(guard: Guard) -> None:
    with pytest.raises(ConfigurationError, match="user is 'ada'"):
        guard.authentication(user="ada")  # type: ignore[arg-type]  # that is what is tested


# -- the rest ----------------------------------------------------------------------------------------------


def test_a_browser_is_told_what_it_may_send_and_enters_no_handler_of_the_views_own(
    guard: Guard, issuer: Issuer
) -> None:
    entered = []

    def options(self: Any, request: Any) -> Response:
        entered.append(request)
        return Response({})

    answer = ask(guarded(guard), method="OPTIONS")
    assert (answer.status, answer.one("allow")) == (200, "GET, POST, HEAD, OPTIONS")
    own = guarded(guard, options=options)
    assert (ask(own, method="OPTIONS").status, entered) == (401, [])
    assert ask(guarded(guard), issuer.expired(), method="OPTIONS").status == 401
    assert ask(own, issuer.token(), method="OPTIONS").status == 200


def test_what_rest_framework_tells_of_a_view_does_not_tell_actions_to_strangers(
    guard: Guard, issuer: Issuer
) -> None:
    app = guarded(guard, get_serializer=lambda self: Serializer())
    assert "actions" not in ask(app, method="OPTIONS").json
    assert "actions" in ask(app, issuer.token(), method="OPTIONS").json


def test_an_object_is_for_whom_the_view_is_for(guard: Guard, issuer: Issuer) -> None:
    def show(request: Any) -> Response:
        request.parser_context["view"].check_object_permissions(request, object())
        return hello(request)

    assert ask(guarded(guard, READ, show=show), issuer.token("ada", "orders:read")).json["sub"] == "ada"


def test_a_request_that_a_program_makes_is_authenticated_too(guard: Guard, issuer: Issuer) -> None:
    def found(token: str) -> Any:
        http = APIRequestFactory().get("/", headers={"Authorization": f"Bearer {token}"})
        # Nobody tells its end: it is over when it is collected. So it has a context to itself.
        return contextvars.copy_context().run(lambda: DRFRequest(http, authenticators=[authenticator()]).auth)

    authenticator: Any = guard.authentication()
    assert found(issuer.token("ada")).subject == "ada"
    with pytest.raises(RefusedRequest):
        found("x")
