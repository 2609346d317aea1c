"""A refresh that hung, or was frozen, while nobody looked: the next request asks anew, and is served.

A serverless function between two calls, an API without users, a laptop that was closed: the connection of a
refresh is dead, while every new one would be answered at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from bearerguard import ProviderUnavailable, ResourceServer
from bearerguard._io.remote_keys import RemoteKeySource
from bearerguard.testing import signing_key
from tests.faults.fault_server import held, respond
from tests.faults.scripted_provider import LONG, ScriptedProvider, health, until, verify

COLOURS = ["sync", "asyncio", "trio"]
DUE, HOURS = 599.0, 8 * 3600.0
LIFETIME, STALE, COOLDOWN = 600.0, 3600.0, 30.0


def source_of(server: ResourceServer) -> RemoteKeySource:
    source = server._keys[server.providers[0].name]
    assert isinstance(source, RemoteKeySource)
    return source


def hung(server: ResourceServer) -> None:
    """Its time passes on this very machine, and nobody looks."""
    flight = source_of(server)._flight
    assert flight is not None
    flight.ticket.deadline = time.monotonic()


def frozen(server: ResourceServer) -> None:
    """The machine slept, and with it the clock by which deadlines are kept; only the date has moved on."""


def overdue(server: ResourceServer) -> None:
    """Its time has passed for long, in a process that had nothing to do."""
    flight = source_of(server)._flight
    assert flight is not None
    flight.ticket.deadline = time.monotonic() - HOURS


STATES = [hung, frozen, overdue]


@pytest.fixture
def dead(provider: ScriptedProvider) -> Iterator[Callable[[], None]]:
    """Has the next request for keys never be answered, and those after it at once."""
    with ExitStack() as opened:

        def begin() -> None:
            gate = threading.Event()
            opened.callback(gate.set)
            alive = respond(provider.issuer.jwks())
            provider.answer(held(gate, alive), alive)

        yield begin


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "silence", [LIFETIME, LIFETIME + STALE, HOURS], ids=["stale", "too old", "for hours"]
)
def test_after_a_silence_the_next_request_is_served(
    provider: ScriptedProvider,
    dead: Callable[[], None],
    state: Callable[[ResourceServer], None],
    colour: str,
    silence: float,
) -> None:
    server = provider.server()
    server.warm_up()
    dead()
    provider.clock.advance(DUE)
    server.verify(provider.token())  # it starts the refresh that will never end
    until(lambda: provider.fetches == 2)
    state(server)
    provider.clock.advance(silence)
    assert verify(server, provider.token(), colour).subject == "user-1"
    # And it has asked anew; where it was served with the keys in hand, without waiting.
    until(lambda: health(server)["age"] == 0, "the refresh that it began")
    assert provider.fetches == 3


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("state", STATES)
def test_a_first_refresh_that_never_ended_is_begun_anew(
    provider: ScriptedProvider,
    dead: Callable[[], None],
    state: Callable[[ResourceServer], None],
    colour: str,
) -> None:
    server = provider.server()
    dead()
    source_of(server).join("missing")
    until(lambda: provider.fetches == 1)
    state(server)
    provider.clock.advance(HOURS)
    assert verify(server, provider.token(), colour).subject == "user-1"


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("state", STATES)
def test_a_new_key_is_found_behind_a_refresh_that_never_ended(
    provider: ScriptedProvider,
    dead: Callable[[], None],
    state: Callable[[ResourceServer], None],
    colour: str,
) -> None:
    server, old = provider.server(), provider.token()
    server.warm_up()
    provider.issuer.rotate()
    dead()
    provider.clock.advance(DUE)
    server.verify(old)
    until(lambda: provider.fetches == 2)
    state(server)
    provider.clock.advance(LIFETIME)
    assert verify(server, provider.token(), colour).subject == "user-1"


@pytest.mark.parametrize("colour", COLOURS)
def test_a_refresh_that_failed_while_nobody_waited_costs_no_request_its_answer(
    provider: ScriptedProvider, colour: str
) -> None:
    """A frozen process wakes up, finds the connection of its refresh dead, and then gets a request."""
    server = provider.server()
    server.warm_up()
    gate = threading.Event()
    provider.answer(held(gate, respond(b"", status=500)), respond(provider.issuer.jwks()))
    provider.clock.advance(DUE)
    server.verify(provider.token())
    until(lambda: provider.fetches == 2)
    provider.clock.advance(HOURS)
    gate.set()
    until(lambda: health(server)["last_failure"] is not None, "the failure")
    assert verify(server, provider.token(), colour).subject == "user-1"
    assert provider.fetches == 3


@pytest.mark.parametrize("colour", COLOURS)
def test_each_503_has_asked_or_comes_soon_after_one_that_has(provider: ScriptedProvider, colour: str) -> None:
    server = provider.server()
    server.warm_up()
    provider.answer(respond(b"", status=500))
    provider.clock.advance(HOURS)
    for question, cooldown in ((2, 1.0), (3, 2.0), (4, 4.0)):
        for _ in range(3):
            with pytest.raises(ProviderUnavailable) as caught:
                verify(server, provider.token(), colour)
            assert caught.value.retry_after == cooldown
            assert provider.fetches == question
        provider.clock.advance(cooldown)


@pytest.mark.parametrize("colour", COLOURS)
def test_whoever_waits_for_a_refresh_that_is_given_up_by_another_is_told_to_come_back(
    provider: ScriptedProvider, dead: Callable[[], None], colour: str
) -> None:
    """The machine slept amid the wait. Whether the key exists, nobody knows: that is no 401."""
    server = provider.server()
    source = source_of(server)
    source.patience = LONG
    server.warm_up()
    dead()
    stranger = provider.token(key=signing_key("Ed25519"))
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(verify, server, stranger, colour)
        until(lambda: provider.fetches == 2)
        provider.clock.advance(HOURS)
        assert verify(server, provider.token()).subject == "user-1"
        assert isinstance(waiting.exception(LONG), ProviderUnavailable)


def test_whoever_keeps_asking_a_provider_that_says_nothing_asks_it_once_a_cooldown(
    provider: ScriptedProvider,
) -> None:
    """Giving up on a refresh ahead is a failure like any other while the API is busy."""
    server = provider.server()
    server.warm_up()
    gate = threading.Event()
    provider.answer(held(gate, respond(provider.issuer.jwks())))
    provider.clock.advance(DUE)
    server.verify(provider.token())
    until(lambda: provider.fetches == 2)
    hung(server)
    for _ in range(10):
        server.verify(provider.token())
    assert provider.fetches == 2
    provider.clock.advance(COOLDOWN)
    server.verify(provider.token())
    until(lambda: provider.fetches == 3)
    gate.set()


def test_a_clock_that_was_read_before_a_refresh_ended_begins_no_other(provider: ScriptedProvider) -> None:
    server = provider.server()
    server.warm_up()
    before = provider.clock()
    provider.clock.advance(DUE)
    server.verify(provider.token())
    until(lambda: health(server)["age"] == 0, "a refresh")
    for _ in range(30):
        source_of(server).refresh_ahead(before)
    assert source_of(server)._flight is None
    assert provider.fetches == 2
