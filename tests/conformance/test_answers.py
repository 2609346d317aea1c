"""What the answer to a refused request says, and what the application may have it say."""

from __future__ import annotations

import pytest

from bearerguard import AuthError, ResourceServer, role, scope
from bearerguard.answer import Body, problem_details
from bearerguard.rules import Rule
from bearerguard.testing import Issuer
from tests.doors_under_test.door import Door
from tests.doors_under_test.doors import CONFORMING, GUARDS, at, at_every_guard
from tests.doors_under_test.exchange import Answer

WORDED = at([door for door in CONFORMING if door.words_refusals])
WORDED_BY_GUARDS = at([door for door in GUARDS if door.words_refusals])


def refusals(door: Door, issuer: Issuer, server: ResourceServer, rule: Rule, body: Body) -> list[Answer]:
    """The answers to no token, a bad one, and one that does not fulfil the rule."""
    opened = door.open(server, rule, body=body)
    return [opened.get(), opened.get(issuer.expired()), opened.get(issuer.token())]


def is_complete(answer: Answer) -> bool:
    return answer.one("content-length") == str(len(answer.body))


@WORDED
def test_a_body_is_json_with_a_sentence_and_a_code(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    answer = door.open(server).get(issuer.expired())
    assert answer.one("content-type") == "application/json"
    assert answer.json == {"message": "The token has expired.", "error": "invalid_token"}
    assert is_complete(answer)


@WORDED_BY_GUARDS
def test_bodies_can_be_problem_details(door: Door, issuer: Issuer, server: ResourceServer) -> None:
    answers = refusals(door, issuer, server, scope("a"), problem_details)
    assert [answer.one("content-type") for answer in answers] == ["application/problem+json"] * 3
    assert [(answer.json["status"], answer.json["title"]) for answer in answers] == [
        (401, "Unauthorized"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
    ]
    assert [answer.json["error"] for answer in answers] == [
        "no_credentials",
        "invalid_token",
        "insufficient_scope",
    ]
    assert all(map(is_complete, answers))


@WORDED_BY_GUARDS
def test_bodies_can_be_the_applications_own(door: Door, issuer: Issuer, server: ResourceServer) -> None:
    def in_words(error: AuthError) -> tuple[str, bytes]:
        return "text/plain; charset=utf-8", f"Nö: {error.reason}".encode()

    answers = refusals(door, issuer, server, role("admin"), in_words)
    assert [answer.body.decode() for answer in answers] == ["Nö: no_credentials", "Nö: expired", "Nö: denied"]
    assert [answer.one("content-type") for answer in answers] == ["text/plain; charset=utf-8"] * 3
    assert all(map(is_complete, answers))
    assert answers[1].challenge["error"] == "invalid_token"


@pytest.mark.parametrize("realm", ["orders", 'the "orders" \\ realm'])
@at_every_guard
def test_the_realm_is_in_every_challenge(
    door: Door, realm: str, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server, scope("a"), realm=realm)
    for answer in (opened.get(), opened.get(issuer.expired()), opened.get(issuer.token())):
        assert answer.challenge["realm"] == realm


@at_every_guard
def test_a_resource_with_an_address_points_to_its_metadata_in_every_challenge(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server, scope("a"), resource="https://api.test/v1")
    for answer in (opened.get(), opened.get(issuer.expired()), opened.get(issuer.token())):
        where = "https://api.test/.well-known/oauth-protected-resource/v1"
        assert answer.challenge["resource_metadata"] == where


@at_every_guard
def test_a_resource_without_an_address_promises_no_metadata(door: Door, server: ResourceServer) -> None:
    assert "resource_metadata" not in door.open(server).get().challenge
