"""What is asked of every door, asked once more over HTTP: under gunicorn, uvicorn and aiohttp's own server.

Not what is about bytes that no client sends: a server refuses them by itself, before anybody sees them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bearerguard import DPoP, ResourceServer
from bearerguard.testing import Issuer
from tests.conformance import (
    test_admittance,
    test_answers,
    test_dpop,
    test_metadata,
    test_refusals,
    test_token_sources,
)
from tests.doors_under_test.door import Door
from tests.doors_under_test.real_servers import REAL

NOT_OVER_HTTP = {
    "test_a_hostile_header_is_refused_without_an_echo",
    "test_a_thousand_authorization_headers_are_refused",
    "test_many_other_headers_do_not_hide_a_good_token",
}


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    """One kind of token is enough here: no server sees a difference."""
    return Issuer()


@pytest.fixture
def own_issuer() -> Issuer:
    return Issuer("https://own.test")


@pytest.fixture(scope="module")
def server(issuer: Issuer) -> ResourceServer:
    return issuer.resource_server(keys=issuer.jwks())


@pytest.fixture(scope="module")
def gateway() -> Issuer:
    return Issuer("https://gateway.test")


elsewhere = test_token_sources.elsewhere


def asked_of_every_door() -> Iterator[tuple[Callable[..., None], list[str], pytest.Mark]]:
    """Each test of a door that has no other parameter, with its fixtures, and the doors that it is for."""
    for module in (
        test_admittance,
        test_answers,
        test_metadata,
        test_refusals,
        test_dpop,
        test_token_sources,
    ):
        for name, test in vars(module).items():
            marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
            if name.startswith("test_") and len(marks) == 1 and marks[0].args[0] == "door":
                fixtures = [one for one in inspect.signature(test).parameters if one != "door"]
                yield test, fixtures, marks[0]


def is_for(door: Door, mark: pytest.Mark) -> bool:
    """Whether a test is for a door: whether it is for the one that this is, without a server."""
    return any(isinstance(door, type(one)) for one in mark.args[1])


CASES = [
    pytest.param(door, test, fixtures, id=f"{test.__name__}[{door.name}]")
    for test, fixtures, mark in asked_of_every_door()
    for door in REAL
    if test.__name__ not in NOT_OVER_HTTP and is_for(door, mark)
]


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD:wsgiref.validate.WSGIWarning")
@pytest.mark.parametrize(("door", "test", "fixtures"), CASES)
def test_over_http_a_door_is_what_it_is_without_a_server(
    door: Door, test: Callable[..., None], fixtures: list[str], request: pytest.FixtureRequest
) -> None:
    given: dict[str, Any] = {name: request.getfixturevalue(name) for name in fixtures}
    if test.__module__ == test_dpop.__name__ and "server" in given:
        given["server"] = test_dpop.server_with(given["issuer"], DPoP())
    test(door=door, **given)


def test_most_of_what_is_asked_of_doors_is_asked_here() -> None:
    names = {test.__name__ for test, _, _ in asked_of_every_door()}
    assert names >= NOT_OVER_HTTP
    assert len(names - NOT_OVER_HTTP) > 40
