"""An issuer's metadata: asked for once, kept, and refreshed by whoever wants them without waiting."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import anyio
import pytest

from bearerguard import ResourceServer
from bearerguard._io.metadata import MetadataSource
from bearerguard.testing import Clock, Issuer

DAY, COOLDOWN, LONG = 86_400.0, 30.0, 30.0
OPENID = "/.well-known/openid-configuration"
COLOURS = ["sync", "asyncio", "trio"]


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(algorithm="ES256", clock=Clock(1_700_000_000))


@pytest.fixture
def server(issuer: Issuer) -> ResourceServer:
    return issuer.resource_server(name="login")


def source_of(server: ResourceServer) -> MetadataSource:
    source = server._keys.metadata_of("login")
    assert source is not None
    return source


def ask(server: ResourceServer, colour: str = "sync", seconds: float = LONG) -> object:
    if colour == "sync":
        return server.metadata("login", seconds=seconds)

    async def asked() -> object:
        return await server.ametadata("login", seconds=seconds)

    return anyio.run(asked, backend=colour)


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("colour", COLOURS)
def test_they_are_asked_for_once_and_kept(server: ResourceServer, issuer: Issuer, colour: str) -> None:
    assert server.known_metadata("login") is None
    for _ in range(3):
        assert ask(server, colour) is server.known_metadata("login")
    known = server.known_metadata("login")
    assert known is not None
    assert known["issuer"] == issuer.url
    assert issuer.count(OPENID) == 1


def test_a_look_asks_nobody(server: ResourceServer, issuer: Issuer) -> None:
    assert server.known_metadata("login") is None
    assert issuer.requests == ()


def test_nobody_can_change_them(server: ResourceServer) -> None:
    metadata = ask(server)
    with pytest.raises(TypeError):
        metadata["issuer"] = "https://evil.test"  # type: ignore[index]


@pytest.mark.parametrize("colour", COLOURS)
def test_what_does_not_come_is_waited_for_no_longer_than_was_said(
    server: ResourceServer, issuer: Issuer, colour: str
) -> None:
    with issuer.slow(3_600):
        assert ask(server, colour, seconds=0.01) is None
    until(lambda: server.known_metadata("login") is not None)
    assert issuer.count(OPENID) == 1


@pytest.mark.parametrize("colour", COLOURS)
def test_an_issuer_that_says_nothing_is_waited_for_once(
    server: ResourceServer, issuer: Issuer, colour: str
) -> None:
    with issuer.slow(3_600):
        assert ask(server, colour, seconds=0.01) is None
        until(lambda: issuer.count(OPENID) == 1)  # else it may be given up before it has asked
        # Nobody waits again who is not more patient: else this would outlast the test.
        source_of(server)._patience_lost = 2 * LONG
        for _ in range(3):
            assert ask(server, colour) is None
        issuer.clock.advance(DAY / 24)  # its time is over, and nobody has noticed
        assert ask(server, colour) is None
        until(lambda: issuer.count(OPENID) == 2)
    until(lambda: server.known_metadata("login") is not None)
    assert source_of(server)._patience_lost == 0


def test_an_issuer_that_is_down_is_asked_once_a_cooldown_and_told_of_once(
    server: ResourceServer, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    with issuer.outage():
        for _ in range(2):
            for _ in range(3):
                assert ask(server) is None
            issuer.clock.advance(COOLDOWN)
    assert issuer.count(OPENID) == 2
    (warning,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert warning.startswith(f"metadata of {issuer.url} could not be fetched (connection): ")
    assert ask(server) is not None


def test_after_a_day_they_are_asked_for_again_and_nobody_waits(
    server: ResourceServer, issuer: Issuer
) -> None:
    ask(server)
    issuer.clock.advance(DAY)
    with issuer.slow(3_600):
        assert ask(server) is not None
        until(lambda: issuer.count(OPENID) == 2)
    until(lambda: source_of(server)._flight is None)
    assert ask(server) is not None
    assert issuer.count(OPENID) == 2


def test_what_is_in_hand_outlives_an_outage(server: ResourceServer, issuer: Issuer) -> None:
    ask(server)
    issuer.clock.advance(DAY)
    with issuer.outage():
        assert ask(server) is not None
        until(lambda: source_of(server)._flight is None)
        assert ask(server) is not None


def test_what_a_discovery_of_keys_found_on_its_way_is_kept(server: ResourceServer, issuer: Issuer) -> None:
    server.warm_up()
    known = server.known_metadata("login")
    assert known is not None
    assert known["jwks_uri"] == issuer.jwks_uri
    assert ask(server) == known
    assert issuer.count(OPENID) == 1


def test_a_first_discovery_of_keys_believes_what_was_read_a_moment_ago(
    server: ResourceServer, issuer: Issuer
) -> None:
    ask(server)
    server.verify(issuer.token())
    assert issuer.count(OPENID) == 1


def test_a_first_discovery_of_keys_asks_again_for_what_was_read_long_ago(
    server: ResourceServer, issuer: Issuer
) -> None:
    ask(server)
    issuer.clock.advance(DAY / 2)
    server.verify(issuer.token())
    assert issuer.count(OPENID) == 2


def test_a_discovery_that_failed_by_what_was_read_before_asks_again(
    server: ResourceServer, issuer: Issuer
) -> None:
    source_of(server).keep({"issuer": issuer.url, "jwks_uri": f"{issuer.url}/gone"}, issuer.clock())
    with pytest.raises(Exception, match="unavailable"):
        server.verify(issuer.token())
    issuer.clock.advance(COOLDOWN)
    assert server.verify(issuer.token()).subject == "user-1"
    assert issuer.count(OPENID) == 1


def test_keys_by_an_address_leave_the_metadata_to_whoever_wants_them(issuer: Issuer) -> None:
    server = issuer.resource_server(name="login", keys=issuer.jwks_uri)
    server.verify(issuer.token())
    assert issuer.count(OPENID) == 0
    assert ask(server) is not None


@pytest.mark.parametrize("form", ["object", "function"])
def test_an_issuer_whose_keys_were_given_is_never_asked(issuer: Issuer, form: str) -> None:
    keys = issuer.jwks() if form == "object" else issuer.jwks
    server = issuer.resource_server(name="login", keys=keys)
    assert ask(server) is None
    assert ask(server, "asyncio") is None
    assert server.known_metadata("login") is None
    assert issuer.requests == ()
