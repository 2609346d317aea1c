"""WebSockets, where a door has them: refused before they are accepted."""

from __future__ import annotations

import pytest

from bearerguard import ResourceServer, scope
from bearerguard.testing import Issuer
from tests.conformance.conftest import Lines
from tests.doors_under_test.door import Door
from tests.doors_under_test.doors import CONFORMING, at

WITH_WEBSOCKETS = at([door for door in CONFORMING if door.has_websockets])
OF_GUARDS = at([door for door in CONFORMING if door.has_websockets and door.guard is not None])
OPTIONAL = at([door for door in CONFORMING if door.has_websockets and door.has_optional])


@WITH_WEBSOCKETS
def test_a_good_token_opens_a_websocket(
    door: Door, issuer: Issuer, server: ResourceServer, lines: Lines
) -> None:
    opened = door.open(server)
    answer = opened.websocket(issuer.token("ada"))
    assert (answer.status, answer.json) == (101, {"subject": "ada"})
    assert [subject for subject, _, _ in lines.seen] == ["ada"]


@WITH_WEBSOCKETS
def test_a_websocket_is_closed_for_a_violation_of_policy_before_it_is_accepted(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server)
    tokens = (None, issuer.expired(), issuer.forged(), "mocked_token")
    answers = [opened.websocket(token) for token in tokens]
    assert [(answer.status, answer.one("close-code")) for answer in answers] == [(403, "1008")] * 4
    assert answers[1].body == b"The token has expired."
    assert opened.api.entered == []


@OF_GUARDS
def test_a_rule_is_asked_of_a_websocket_too(door: Door, issuer: Issuer, server: ResourceServer) -> None:
    opened = door.open(server, scope("live"))
    assert opened.websocket(issuer.token(scope="other")).status == 403
    assert opened.api.entered == []
    assert opened.websocket(issuer.token(scope="live")).status == 101


@OF_GUARDS
def test_a_server_that_can_answer_a_websocket_gives_the_whole_answer(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server, scope("live"))
    answers = [
        opened.websocket(token, can_be_denied=True)
        for token in (None, issuer.expired(), issuer.token(scope="other"))
    ]
    assert [answer.status for answer in answers] == [401, 401, 403]
    assert [answer.challenge.get("error") for answer in answers] == [
        None,
        "invalid_token",
        "insufficient_scope",
    ]
    assert opened.api.entered == []
    assert opened.websocket(issuer.token(scope="live"), can_be_denied=True).status == 101


@OPTIONAL
def test_where_credentials_are_optional_a_websocket_opens_without_and_not_with_bad_ones(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server, optional=True)
    assert opened.websocket().json == {"subject": None}
    assert opened.websocket(issuer.token("ada")).json == {"subject": "ada"}
    assert opened.websocket(issuer.expired()).status == 403


@WITH_WEBSOCKETS
def test_a_websocket_during_an_outage_is_refused(door: Door, own_issuer: Issuer) -> None:
    opened = door.open(own_issuer.resource_server())
    with own_issuer.outage():
        assert opened.websocket(own_issuer.token()).status == 403
    assert opened.api.entered == []


@pytest.mark.parametrize("query", ["access_token=", "token="])
@WITH_WEBSOCKETS
def test_a_token_in_the_address_of_a_websocket_is_not_read(
    door: Door, query: str, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server)
    assert opened.websocket(query=query + issuer.token()).status == 403
