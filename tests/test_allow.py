"""`guard.allow`, and what a refusal by a guard carries for handlers on the server's side."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from bearerguard import (
    AccessToken,
    ConfigurationError,
    InsufficientScope,
    InvalidToken,
    MissingCredentials,
    ResourceServer,
    authenticated,
    scope,
)
from bearerguard.asgi import Guard
from bearerguard.request import BareHeaders
from bearerguard.testing import Issuer


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer(algorithm="ES256")


@pytest.fixture(scope="module")
def server(issuer: Issuer) -> ResourceServer:
    return issuer.resource_server(keys=issuer.jwks(), name="login")


@pytest.fixture
def guard(server: ResourceServer) -> Guard:
    return Guard(server)


@pytest.fixture
def token(issuer: Issuer, server: ResourceServer) -> AccessToken:
    return server.verify(issuer.token("ada", "orders:read"))


def carrying(text: str) -> BareHeaders:
    return BareHeaders([(b"authorization", f"Bearer {text}".encode())])


# -- guard.allow -----------------------------------------------------------------------------------------


def test_a_token_that_fulfils_a_rule_is_returned_and_nothing_is_logged(
    guard: Guard, token: AccessToken, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "bearerguard")
    assert guard.allow(scope("orders:read"), token) is token
    assert caplog.records == []


def test_a_token_that_does_not_is_refused_with_what_a_handler_wants_to_know(
    guard: Guard, token: AccessToken
) -> None:
    rule = scope("orders:write")
    with pytest.raises(InsufficientScope) as refusal:
        guard.allow(rule, token)
    error = refusal.value
    assert (error.rule, error.provider, error.scopes) == (rule, "login", ("orders:write",))
    assert error.token is token


def test_a_refusal_by_a_rule_is_logged_once(
    guard: Guard, token: AccessToken, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bearerguard")
    with pytest.raises(InsufficientScope):
        guard.allow(scope("orders:write"), token)
    (told,) = caplog.records
    assert told.getMessage() == (
        "refused: reason=scope provider=login sub=ada client_id=test-client "
        "rule=\"no   scope('orders:write'): the token has the scopes orders:read\""
    )


def test_what_is_asked_of_a_token_that_is_known_is_not_a_scope_of_a_route(
    guard: Guard, token: AccessToken
) -> None:
    guard.allow(scope("orders:read"), token)
    assert not guard.rules


# -- what guards say of a refusal ------------------------------------------------------------------------


def admitted(guard: Guard, request: BareHeaders, demand: Any, colour: str) -> AccessToken | None:
    if colour == "sync":
        return guard.admit(request, demand)
    task = guard.aadmit(request, demand)
    with pytest.raises(StopIteration) as end:
        task.send(None)
    admitted: AccessToken | None = end.value.value
    return admitted


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_refused_request_carries_the_rule_of_its_route(guard: Guard, issuer: Issuer, colour: str) -> None:
    demand = guard.demand(scope("orders:read"))
    for request, kind in (
        (BareHeaders([]), MissingCredentials),
        (carrying(issuer.expired(scope="orders:read")), InvalidToken),
        (carrying(issuer.token("ada", "other")), InsufficientScope),
    ):
        with pytest.raises(kind) as refusal:
            admitted(guard, request, demand, colour)
        assert refusal.value.rule == scope("orders:read")


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_only_a_token_that_was_verified_is_carried(guard: Guard, issuer: Issuer, colour: str) -> None:
    demand = guard.demand(scope("orders:read"))
    with pytest.raises(InvalidToken) as forged:
        admitted(guard, carrying(issuer.forged(scope="orders:read")), demand, colour)
    assert forged.value.token is None
    with pytest.raises(InsufficientScope) as lacking:
        admitted(guard, carrying(issuer.token("ada", "other")), demand, colour)
    assert lacking.value.token.subject == "ada"


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_where_a_token_is_optional_only_its_absence_is_nobody(
    guard: Guard, issuer: Issuer, colour: str
) -> None:
    demand = guard.demand(optional=True)
    assert admitted(guard, BareHeaders([]), demand, colour) is None
    with pytest.raises(InvalidToken) as refusal:
        admitted(guard, carrying(issuer.expired()), demand, colour)
    assert refusal.value.rule is authenticated


def test_an_optional_demand_has_its_rule_checked_and_noted_like_any_other(guard: Guard) -> None:
    assert guard.demand(optional=True).rule == authenticated
    assert not guard.rules
    demand = guard.demand(scope("orders:read"), optional=True)
    assert (demand.optional, guard.rules) == (True, (scope("orders:read"),))
    with pytest.raises(ConfigurationError, match="is not a rule"):
        guard.demand("orders:read", optional=True)  # type: ignore[arg-type] # the mistake that is tested
