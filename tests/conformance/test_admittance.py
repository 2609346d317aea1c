"""What an application that is entered finds: this request's token, and nothing of another request."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from bearerguard import AccessToken, ResourceServer
from bearerguard.context import verified_token
from bearerguard.testing import Issuer
from tests.conformance.conftest import Lines
from tests.doors_under_test.door import METHODS, Door
from tests.doors_under_test.doors import CONFORMING, at, at_every_door, at_every_http_door
from tests.doors_under_test.exchange import ApplicationError, Fields

WHOLE = at([door for door in CONFORMING if door.is_whole])


def claims(token: AccessToken | None) -> Any:
    return None if token is None else dict(token.claims)


@at_every_door
def test_an_application_finds_every_claim(door: Door, issuer: Issuer, server: ResourceServer) -> None:
    opened = door.open(server, view=claims)
    given: dict[str, Any] = {
        "sub": "ada",
        "roles": ["clerk"],
        "nested": {"a": [1, 2.5, None, True]},
        "name": "Ada Lövelace",
    }
    answer = opened.get(issuer.token(**given))
    assert answer.json.items() >= given.items()


@at_every_door
def test_requests_at_the_same_time_each_find_their_own_token(
    door: Door, issuer: Issuer, server: ResourceServer, lines: Lines
) -> None:
    names = [f"user-{number}" for number in range(4)]
    opened = door.open(server, meeting=threading.Barrier(len(names)))
    answers = opened.get_all([issuer.token(name) for name in names])
    assert [answer.json["subject"] for answer in answers] == names
    assert sorted(subject for subject, _, _ in lines.seen) == names


@at_every_door
def test_a_good_token_opens_nothing_for_the_request_after_it(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server)
    statuses = [opened.get(token).status for token in (issuer.token(), None, issuer.forged(), issuer.token())]
    assert statuses == [200, door.without_credentials, 401, 200]
    assert opened.api.entered == ["/", "/"]


@at_every_door
def test_a_public_path_needs_no_token_and_finds_none(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server)
    assert opened.get(issuer.token("ada")).json == {"subject": "ada"}
    for token in (None, issuer.token("ada"), issuer.forged()):
        answer = opened.get(token, "/health")
        assert (answer.status, answer.json) == (200, {"subject": None})


@pytest.mark.parametrize(
    "path", ["/health/", "//health", "/Health", "/health;x", "/health/../", "/healthy", "/x"]
)
@WHOLE
def test_only_the_exact_public_path_is_public(door: Door, path: str, server: ResourceServer) -> None:
    opened = door.open(server)
    assert opened.get(path=path).status == door.without_credentials
    assert opened.api.entered == []


# -- logs ------------------------------------------------------------------------------------------------


@at_every_door
def test_the_log_names_who_is_served_and_nobody_else(
    door: Door, issuer: Issuer, server: ResourceServer, lines: Lines
) -> None:
    opened = door.open(server)
    opened.get(issuer.token("ada", client_id="web"))
    opened.get(path="/health")
    opened.get(issuer.token("bob", client_id="app"))
    opened.get(issuer.forged(sub="eve"))
    opened.get(issuer.token("eve"), "/health")
    assert lines.seen == [
        ("ada", "web", issuer.url),
        ("", "", ""),
        ("bob", "app", issuer.url),
        ("", "", ""),
    ]


@at_every_door
def test_after_a_request_nobody_is_named(door: Door, issuer: Issuer, server: ResourceServer) -> None:
    opened = door.open(server)
    for token in (issuer.token(), issuer.forged(), None):
        opened.get(token)
        assert verified_token() is None


# -- methods ---------------------------------------------------------------------------------------------


@at_every_door
def test_every_method_of_the_application_is_protected(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server)
    for method in METHODS:
        assert opened.get(method=method).status == door.without_credentials, method
        assert opened.get(issuer.expired(), method=method).status == 401, method
    assert opened.api.entered == []
    for method in METHODS:
        assert opened.get(issuer.token(), method=method).status == 200, method


@at_every_http_door
def test_a_refusal_of_head_says_what_that_of_get_says(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server)
    get, head = (opened.get(issuer.expired(), method=method) for method in ("GET", "HEAD"))
    assert head.challenge == get.challenge
    assert head.one("content-length") == get.one("content-length")


@at_every_door
def test_options_enters_no_application_without_a_token(door: Door, server: ResourceServer) -> None:
    """What a framework answers by itself, such as `Allow`, is not a view of the application's."""
    opened = door.open(server)
    preflight: Fields = [(b"Origin", b"https://a.test"), (b"Access-Control-Request-Method", b"GET")]
    statuses = {opened.get(method="OPTIONS").status, opened.get(method="OPTIONS", fields=preflight).status}
    assert statuses < {200, 204, 400, 401, 405}
    assert opened.api.entered == []


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD:wsgiref.validate.WSGIWarning")
@at_every_door
def test_a_method_that_nobody_knows_enters_no_application_without_a_token(
    door: Door, server: ResourceServer
) -> None:
    opened = door.open(server)
    for method in ("DELETE", "TRACE", "PROPFIND", "get"):
        assert opened.get(method=method).status in {400, 401, 405}, method
    assert opened.api.entered == []


# -- errors of the application ---------------------------------------------------------------------------


@at_every_door
def test_an_error_of_the_application_is_not_a_refusal(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    def broken(token: AccessToken | None) -> Any:
        raise ApplicationError

    answer = door.open(server, view=broken).get(issuer.token())
    assert (answer.status, answer.all("www-authenticate")) == (500, [])
