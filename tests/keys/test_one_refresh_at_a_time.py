"""Whoever asks, and from wherever: one refresh at a time, and nobody's trouble is anybody else's."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import anyio
import pytest

from bearerguard import ProviderUnavailable, ResourceServer
from tests.faults.fault_server import held, respond
from tests.faults.scripted_provider import LONG, ScriptedProvider, auntil, in_time, until, verify

LOOPS = ["asyncio", "trio"]


@pytest.fixture
def gate(provider: ScriptedProvider) -> Iterator[threading.Event]:
    """The key set is answered once this is set."""
    gate = threading.Event()
    provider.answer(held(gate, respond(provider.issuer.jwks())))
    yield gate
    gate.set()


class Begun:
    """Counts those who are about to ask, over threads and loops."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def one_more(self) -> None:
        with self._lock:
            self.count += 1


def in_background(
    threads: ThreadPoolExecutor, backend: str, function: Callable[..., Any], *args: Any
) -> Future[Any]:
    return threads.submit(partial(anyio.run, function, *args, backend=backend))


async def verify_in_tasks(server: ResourceServer, token: str, tasks: int, begun: Begun) -> list[str | None]:
    """The subjects that `tasks` tasks of one loop get."""
    subjects: list[str | None] = []

    async def one() -> None:
        begun.one_more()
        subjects.append((await server.averify(token)).subject)

    async with anyio.create_task_group() as group:
        for _ in range(tasks):
            group.start_soon(one)
    return subjects


def test_two_hundred_cold_requests_of_threads_and_three_loops_cost_one_fetch(
    provider: ScriptedProvider, gate: threading.Event
) -> None:
    server, token, begun = provider.server(), provider.token(), Begun()

    def verify_in_thread() -> list[str | None]:
        begun.one_more()
        return [server.verify(token).subject]

    with ThreadPoolExecutor(53) as threads:
        asked = [threads.submit(verify_in_thread) for _ in range(50)]
        asked += [
            in_background(threads, backend, verify_in_tasks, server, token, 50, begun)
            for backend in ("asyncio", "asyncio", "trio")
        ]
        until(lambda: begun.count == 200 and provider.fetches == 1, "200 requests and a fetch")
        gate.set()
        subjects = [subject for future in asked for subject in future.result(LONG)]
    assert subjects == ["user-1"] * 200
    assert provider.fetches == 1
    assert provider.faults.connections == 1


def test_threads_that_ask_at_the_same_instant_cost_one_fetch(provider: ScriptedProvider) -> None:
    together = threading.Barrier(8)

    def ask(server: ResourceServer, token: str) -> str | None:
        together.wait(LONG)
        return server.verify(token).subject

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads change places between any two instructions
    try:
        with ThreadPoolExecutor(8) as threads:
            for number in range(100):
                server = provider.server(timeout=LONG + number)  # one that shares no keys with the last
                token = provider.token()
                asked = [threads.submit(ask, server, token) for _ in range(8)]
                assert {future.result(LONG) for future in asked} == {"user-1"}
                assert provider.fetches == number + 1
    finally:
        sys.setswitchinterval(interval)


def test_discovered_keys_cost_one_fetch_of_each_document(
    provider: ScriptedProvider, gate: threading.Event
) -> None:
    server, token, begun = provider.server(discovered=True), provider.token(), Begun()
    with ThreadPoolExecutor(2) as threads:
        asked = [in_background(threads, loop, verify_in_tasks, server, token, 20, begun) for loop in LOOPS]
        until(lambda: begun.count == 40 and provider.fetches == 1)
        gate.set()
        assert [len(future.result(LONG)) for future in asked] == [20, 20]
    assert [request.path for request in provider.faults.requests] == [
        "/.well-known/openid-configuration",
        "/jwks",
    ]


def test_servers_with_the_same_address_and_options_share_one_fetch(provider: ScriptedProvider) -> None:
    one = provider.provider()
    servers = [ResourceServer(one, clock=provider.clock) for _ in range(30)]
    assert {server.verify(provider.token()).subject for server in servers} == {"user-1"}
    assert provider.fetches == 1


# ------------------------------------------------------------------------------- waiters that come to grief


@pytest.mark.parametrize("loop", LOOPS)
def test_a_cancelled_waiter_cancels_nobody_else(
    provider: ScriptedProvider, gate: threading.Event, loop: str
) -> None:
    server, token = provider.server(), provider.token()
    subjects = []

    async def patient() -> None:
        subjects.append((await server.averify(token)).subject)

    async def main() -> None:
        async with anyio.create_task_group() as patient_ones:
            patient_ones.start_soon(patient)
            async with anyio.create_task_group() as impatient_ones:
                # The first of these has started the refresh, or joined it; cancelling them all stops nothing.
                for _ in range(10):
                    impatient_ones.start_soon(server.averify, token)
                await auntil(lambda: provider.fetches == 1)
                impatient_ones.cancel_scope.cancel()
            patient_ones.start_soon(patient)
            gate.set()

    in_time(lambda: anyio.run(main, backend=loop))
    assert subjects == ["user-1"] * 2
    assert provider.fetches == 1


@pytest.mark.parametrize("loop", LOOPS)
def test_a_refresh_whose_every_waiter_was_cancelled_still_brings_its_keys(
    provider: ScriptedProvider, gate: threading.Event, loop: str
) -> None:
    server, token = provider.server(), provider.token()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(server.averify, token)
            await auntil(lambda: provider.fetches == 1)
            group.cancel_scope.cancel()

    in_time(lambda: anyio.run(main, backend=loop))
    gate.set()
    until(lambda: server.health()["providers"][server.providers[0].name]["state"] == "fresh")
    assert verify(server, token).subject == "user-1"
    assert provider.fetches == 1


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "stopped"])
def test_a_waiter_whose_loop_is_gone_harms_neither_the_refresh_nor_the_others(
    provider: ScriptedProvider, gate: threading.Event, closed: bool
) -> None:
    server, token = provider.server(), provider.token()
    loop = asyncio.new_event_loop()
    abandoned = loop.create_task(server.averify(token))
    in_time(lambda: loop.run_until_complete(asyncio.sleep(0.01)))
    until(lambda: provider.fetches == 1)
    if closed:
        abandoned._log_destroy_pending = False  # type: ignore[attr-defined]  # it is pending: that is the point
        loop.close()
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(server.verify, token)
        gate.set()
        assert other.result(LONG).subject == "user-1"
    if not closed:
        # The loop that had stopped goes on, and its task with it.
        assert in_time(lambda: loop.run_until_complete(abandoned)).subject == "user-1"
        loop.close()
    assert verify(server, token, "asyncio").subject == "user-1"
    assert provider.fetches == 1


def test_waiters_share_the_failure_too(provider: ScriptedProvider, gate: threading.Event) -> None:
    provider.answer(held(gate, respond(b"", status=500)))
    server, token, begun = provider.server(), provider.token(), Begun()

    def ask() -> float:
        begun.one_more()
        with pytest.raises(ProviderUnavailable) as caught:
            server.verify(token)
        return caught.value.retry_after

    with ThreadPoolExecutor(20) as threads:
        asked = [threads.submit(ask) for _ in range(20)]
        until(lambda: begun.count == 20 and provider.fetches == 1)
        gate.set()
        assert {future.result(LONG) for future in asked} == {1.0}
    assert provider.fetches == 1


def test_a_waiter_waits_no_longer_than_the_fetch_may_take(
    provider: ScriptedProvider, gate: threading.Event
) -> None:
    server, token = provider.server(timeout=0.2), provider.token()
    with ThreadPoolExecutor(9) as threads:
        asked = [threads.submit(server.verify, token) for _ in range(5)]
        asked += [threads.submit(verify, server, token, loop) for loop in LOOPS]
        errors = [future.exception(LONG) for future in asked]
    assert [type(error) for error in errors] == [ProviderUnavailable] * 7


def test_what_a_given_up_refresh_brings_late_is_thrown_away(
    provider: ScriptedProvider, gate: threading.Event
) -> None:
    server = provider.server(timeout=0.1)
    with pytest.raises(ProviderUnavailable):
        server.verify(provider.token())
    gate.set()
    until(lambda: not [one for one in threading.enumerate() if one.name.startswith("bearerguard refresh")])
    assert server.health()["providers"][server.providers[0].name]["state"] == "none"


# ------------------------------------------------------------------------------------- providers side by side


@pytest.mark.parametrize("colour", ["sync", *LOOPS])
def test_a_broken_provider_delays_no_token_of_another(
    provider: ScriptedProvider, gate: threading.Event, colour: str
) -> None:
    broken = provider.provider(name="broken")
    provider.faults.script("/other", respond(provider.issuer.jwks()))
    sound = provider.provider(keys=provider.faults.url("/other"), issuer="https://other.test", name="sound")
    server = ResourceServer(broken, sound, clock=provider.clock)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(server.verify, provider.token())
        until(lambda: provider.fetches == 1)
        token = verify(server, provider.token(iss="https://other.test"), colour)
        assert token.provider.name == "sound"
        assert not waiting.done()
        gate.set()
        assert waiting.result(LONG).provider.name == "broken"
