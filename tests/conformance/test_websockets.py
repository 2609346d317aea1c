"""WebSockets, where a door has them: refused before they are accepted."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest

from bearerguard import ResourceServer, scope
from bearerguard._asgi import ASGIGuard
from bearerguard.testing import Clock, Issuer
from tests.conformance.conftest import Lines
from tests.doors_under_test.door import Door
from tests.doors_under_test.doors import CONFORMING, at
from tests.doors_under_test.exchange import Fields

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


# -- tokens among subprotocols ---------------------------------------------------------------------------

IN_BROWSERS = at(
    [door for door in CONFORMING if door.has_websockets and issubclass(door.guard or object, ASGIGuard)]
)


def offer(*names: str) -> Fields:
    return [(b"Sec-WebSocket-Protocol", ", ".join(names).encode())]


def kubernetes(token: str) -> str:
    return "base64url.bearer.authorization.k8s.io." + urlsafe_b64encode(token.encode()).decode().rstrip("=")


@IN_BROWSERS
def test_a_token_among_the_subprotocols_opens_a_websocket_and_a_name_is_chosen(
    door: Door, issuer: Issuer, server: ResourceServer, lines: Lines
) -> None:
    opened = door.open(server, websocket_subprotocol="bearer")
    for names, chosen in [
        (["bearer", issuer.token("ada"), "chat.v1"], "bearer"),
        (["Bearer", issuer.token("ada")], "Bearer"),
        ([kubernetes(issuer.token("ada")), "base64.binary.k8s.io"], "base64.binary.k8s.io"),
    ]:
        answer = opened.websocket(fields=offer(*names))
        assert (answer.status, answer.json) == (101, {"subject": "ada"}), names
        assert answer.one("sec-websocket-protocol") == chosen
    assert [subject for subject, _, _ in lines.seen] == ["ada"] * 3


class Advancing(list[str]):
    """The paths at which an API was entered, each of which takes a while."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def append(self, path: str) -> None:
        super().append(path)
        self.clock.advance(61)


@IN_BROWSERS
@pytest.mark.parametrize(("seconds", "closed"), [(60, ["4401"]), (3600, [])])
def test_a_websocket_ends_with_its_token_where_that_was_asked_for(
    seconds: int, closed: list[str], door: Door
) -> None:
    issuer = Issuer(algorithm="ES256")
    opened = door.open(issuer.resource_server(keys=issuer.jwks(), leeway=0), close_at_expiry=True)
    opened.api.entered = Advancing(issuer.clock)
    answer = opened.websocket(issuer.token("ada", expires_in=seconds))
    assert (answer.status, opened.api.entered) == (101, ["/ws"])
    assert [code for code in answer.all("close-code") if code != "1000"] == closed


@IN_BROWSERS
def test_two_tokens_in_the_opening_of_a_websocket_are_a_400(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server, websocket_subprotocol="bearer")
    token = issuer.token()
    for names in (
        ["bearer", token, "bearer", token],
        ["bearer", token, kubernetes(token)],
        ["bearer"],
        ["bearer", ""],
    ):
        assert opened.websocket(fields=offer(*names), can_be_denied=True).status == 400, names
    assert opened.websocket(token, fields=offer("bearer", token), can_be_denied=True).status == 400
    assert opened.api.entered == []


@IN_BROWSERS
def test_a_bad_token_among_the_subprotocols_is_refused_with_its_reason(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server, websocket_subprotocol="bearer")
    for names in (["bearer", issuer.expired()], [kubernetes(issuer.expired()), "chat.v1"]):
        answer = opened.websocket(fields=offer(*names), can_be_denied=True)
        assert (answer.status, answer.challenge["error"]) == (401, "invalid_token")
    junk = opened.websocket(
        fields=offer("base64url.bearer.authorization.k8s.io.%%%", "chat.v1"), can_be_denied=True
    )
    assert junk.status == 400
    assert opened.websocket(fields=offer("chat.v1"), can_be_denied=True).status == 401
    assert opened.api.entered == []


@IN_BROWSERS
def test_without_the_option_a_subprotocol_is_not_a_place_for_a_token(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server)
    assert opened.websocket(fields=offer("bearer", issuer.token()), can_be_denied=True).status == 401
    assert opened.api.entered == []


@IN_BROWSERS
def test_over_http_a_subprotocol_is_not_a_place_for_a_token(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server, websocket_subprotocol="bearer")
    assert opened.get(fields=offer("bearer", issuer.token())).status == 401
