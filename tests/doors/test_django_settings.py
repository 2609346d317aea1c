"""The setting `BEARERGUARD`: what it builds, and what `manage.py check` says about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path

from bearerguard import ConfigurationError, Provider, SecurityWarning, scope
from bearerguard.answer import problem_details
from bearerguard.django import Guard
from bearerguard.django.apps import check_settings
from bearerguard.testing import Issuer
from tests.doors_under_test.django_site import site
from tests.doors_under_test.exchange import Answer, Request, ask_wsgi

MIDDLEWARE = "bearerguard.django.Middleware"


def ask(app: Any, path: str = "/", token: str | None = None, **changes: Any) -> Answer:
    fields = [] if token is None else [(b"Authorization", f"Bearer {token}".encode())]
    return ask_wsgi(app, Request(path=path, fields=fields, **changes))[0]


def shown(request: Any) -> HttpResponse:
    return HttpResponse(f"{request.auth and request.auth.subject}")


def whole(said: Any, *routes: Any) -> WSGIHandler:
    """A site that is protected by its settings."""
    return site([path("", shown), path("health", shown), *routes], MIDDLEWARE, BEARERGUARD=said)


@pytest.fixture
def said(issuer: Issuer) -> dict[str, Any]:
    """A setting as a site has it, which trusts the issuer and its clock."""
    provider = {"issuer": issuer.url, "audience": issuer.audience, "keys": issuer.jwks()}
    return {"providers": [provider], "clock": issuer.clock}


# -- what it builds --------------------------------------------------------------------------------------


def test_a_site_is_protected_by_its_settings(said: dict[str, Any], issuer: Issuer) -> None:
    said |= {"realm": "shop", "rule": scope("orders"), "public_paths": ["/health"], "body": problem_details}
    app = whole(said)
    assert ask(app, "/health").body == b"None"
    assert ask(app, token=issuer.token("ada", "orders")).body == b"ada"
    refused = ask(app, token=issuer.token("ada", "other"))
    assert (refused.status, refused.challenge["realm"]) == (403, "shop")
    assert refused.challenge["scope"] == "orders"
    assert refused.one("content-type") == "application/problem+json"


def test_a_whole_site_publishes_its_metadata_without_a_route(said: dict[str, Any], issuer: Issuer) -> None:
    app = whole(said | {"resource": "https://api.test/v1", "rule": scope("orders")})
    for where in ("", "/v1"):
        answer = ask(app, f"/.well-known/oauth-protected-resource{where}")
        assert answer.json["authorization_servers"] == [issuer.url]
        assert answer.json["scopes_supported"] == ["orders"]
    assert "resource_metadata" in ask(app).challenge


def test_public_prefixes_are_said_in_the_settings(said: dict[str, Any]) -> None:
    app = whole(said | {"public_prefixes": "/open"}, path("open/door", shown))
    assert [ask(app, "/open/door").status, ask(app, "/open").status] == [200, 401]


def test_readiness_is_said_in_the_settings(said: dict[str, Any]) -> None:
    app = whole(said | {"readiness": "/ready"})
    answer = ask(app, "/ready")
    assert (answer.status, answer.json) == (200, {"ready": True})
    assert ask(app, "/ready/").status == 401


def test_all_guards_of_the_settings_share_one_server(said: dict[str, Any]) -> None:
    with override_settings(BEARERGUARD=said | {"realm": "shop"}):
        one, other = Guard.from_settings(), Guard.from_settings()
        assert one.server is other.server
        assert (one.realm, one is other) == ("shop", False)
    with override_settings(BEARERGUARD=said):
        assert Guard.from_settings().server is not one.server, "a setting that was changed is read again"


def test_a_provider_may_be_given_as_one(issuer: Issuer) -> None:
    with override_settings(BEARERGUARD={"providers": [issuer.provider()]}):
        assert Guard.from_settings().server.providers[0].issuer == issuer.url


@pytest.mark.parametrize("said", [None, {}, {"provider": []}, {"providers": [{"issuer": "https://a.test"}]}])
def test_a_guard_of_settings_with_an_error_says_what_the_check_says(said: Any) -> None:
    with override_settings(BEARERGUARD=said, MIDDLEWARE=[MIDDLEWARE]):
        messages = [error.msg for error in run_checks() if error.id.startswith("bearerguard.")]
        for build in (Guard.from_settings, lambda: whole(said)):
            with pytest.raises(ConfigurationError) as raised:
                build()
            assert str(raised.value) == " ".join(messages)


# -- what the check says ---------------------------------------------------------------------------------

A = {"issuer": "https://a.test", "audience": "https://api.test"}

WRONG: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "a list": ([A], [("E001", "BEARERGUARD is a list: write BEARERGUARD = {'providers'")]),
    "nothing": ({}, [("E001", r"BEARERGUARD['providers'] is None: write a list")]),
    "one provider": ({"providers": A}, [("E001", "write a list, [{'issuer'")]),
    "no provider": ({"providers": []}, [("E001", "BEARERGUARD['providers'] is []")]),
    "a key with a slip": (
        {"providers": [A], "public_path": ["/health"]},
        [("E002", "BEARERGUARD has an unknown key, 'public_path': write 'public_paths'.")],
    ),
    "a key in capitals": (
        {"providers": [A], "RESOURCE": "https://api.test"},
        [("E002", "unknown key, 'RESOURCE': write 'resource'")],
    ),
    "a key like none": ({"providers": [A], "xyz": 1}, [("E002", "unknown key, 'xyz': its keys are ")]),
    "a provider's key with a slip": (
        {"providers": [A, A | {"audiance": "x"}]},
        [("E002", "BEARERGUARD['providers'][1] has an unknown key, 'audiance': write 'audience'.")],
    ),
    "two errors at once": (
        {"providers": [{"issuer": "https://a.test"}, 7], "relm": "shop"},
        [
            ("E002", "'relm': write 'realm'"),
            ("E003", r"BEARERGUARD['providers'][0]: Provider 'https://a.test'"),
            ("E003", "BEARERGUARD['providers'][1] is a int: write a dict, or a Provider."),
        ],
    ),
    "no audience": ({"providers": [{"issuer": "https://a.test"}]}, [("E003", "audience")]),
    "no issuer": ({"providers": [{"audience": "https://api.test"}]}, [("E003", "issuer")]),
    "two of one name": ({"providers": [A, A]}, [("E004", "Two providers are called 'https://a.test'")]),
    "a resource that is not https": (
        {"providers": [A], "resource": "http://api.test"},
        [("E004", "BEARERGUARD: resource")],
    ),
    "a realm that no header carries": ({"providers": [A], "realm": "a\nb"}, [("E004", "realm is")]),
    "a rule that is not one": ({"providers": [A], "rule": "orders:read"}, [("E004", "is not a rule")]),
    "paths that are none": ({"providers": [A], "public_paths": 7}, [("E004", "public_paths is 7")]),
    "a readiness that is not a path": ({"providers": [A], "readiness": "ready"}, [("E004", "'/ready'")]),
    "a prefix for everything": ({"providers": [A], "public_prefixes": "/"}, [("E004", "public_prefixes")]),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_check_says_what_is_wrong_and_what_to_write(name: str) -> None:
    said, expected = WRONG[name]
    with override_settings(BEARERGUARD=said):
        found = [(error.id, error.msg) for error in run_checks()]
        assert [one for one, _ in found] == [f"bearerguard.{one}" for one, _ in expected]
        for (_, message), (_, words) in zip(found, expected, strict=True):
            assert words in message
        with pytest.raises(CommandError, match=expected[0][0]):
            call_command("check")


@pytest.fixture
def watched() -> Iterator[Issuer]:
    with Issuer().serve() as issuer:
        yield issuer


def test_the_check_fetches_nothing_and_is_content_with_what_is_right(watched: Issuer) -> None:
    said = {"providers": [{"issuer": watched.url, "audience": watched.audience}], "rule": scope("a")}
    with override_settings(BEARERGUARD=said, MIDDLEWARE=[MIDDLEWARE]):
        assert run_checks() == []
        guard = Guard.from_settings()
    assert watched.requests == ()
    assert guard.server.verify(watched.token("ada")).subject == "ada"
    assert watched.requests != (), "it would have been seen"


def test_without_the_setting_only_the_middleware_is_an_error() -> None:
    with override_settings(MIDDLEWARE=[]):
        assert run_checks() == []
    with override_settings(MIDDLEWARE=[MIDDLEWARE]):
        (error,) = run_checks()
    assert (error.id, error.msg.startswith("BEARERGUARD is not set: write")) == ("bearerguard.E001", True)


def test_the_check_warns_of_a_login_page_in_front_of_tokens(said: dict[str, Any]) -> None:
    login = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    with override_settings(BEARERGUARD=said, MIDDLEWARE=[login]):
        assert "bearerguard.W001" not in [warning.id for warning in run_checks()]
    with override_settings(BEARERGUARD=said, MIDDLEWARE=[MIDDLEWARE, login]):
        warnings = [one for one in run_checks() if one.id == "bearerguard.W001"]
    assert "@login_not_required" in warnings[0].msg


NO_USERS = ["bearerguard.django", "rest_framework"]


@pytest.mark.parametrize(
    ("changed", "is_told"),
    [
        ({"INSTALLED_APPS": NO_USERS, "REST_FRAMEWORK": {}}, True),
        ({"INSTALLED_APPS": NO_USERS, "REST_FRAMEWORK": {"UNAUTHENTICATED_USER": None}}, False),
        ({"INSTALLED_APPS": ["bearerguard.django"]}, False),
        ({}, False),
    ],
)
def test_the_check_warns_where_rest_framework_has_nobody_to_make_of_no_token(
    changed: dict[str, Any], is_told: bool, said: dict[str, Any]
) -> None:
    with override_settings(BEARERGUARD=said, **changed):
        warnings = [one for one in check_settings(None) if one.id == "bearerguard.W002"]
    assert ["'UNAUTHENTICATED_USER': None" in one.msg for one in warnings] == [True] * is_told


def test_an_opt_out_in_the_setting_warns_as_anywhere_else() -> None:
    said = {"providers": [{"issuer": "https://a.test", "dangerously_accept_any_audience": True}]}
    with override_settings(BEARERGUARD=said), pytest.warns(SecurityWarning, match="does not check whom"):
        run_checks()


def test_a_provider_of_the_setting_takes_every_argument_of_a_provider() -> None:
    said = {"providers": [A | {"name": "login", "leeway": 30, "roles_claim": "realm_access.roles"}]}
    with override_settings(BEARERGUARD=said):
        provider = Guard.from_settings().server.providers[0]
    assert isinstance(provider, Provider)
    assert (provider.name, provider.leeway, provider.roles_claim) == ("login", 30, "realm_access.roles")
