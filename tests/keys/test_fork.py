"""After `os.fork()`, as of gunicorn with `--preload`, the child works on: warm, cold, or amid a refresh."""

from __future__ import annotations

import os
import signal
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anyio
import pytest

from bearerguard import ResourceServer
from tests.faults.fault_server import held, respond
from tests.faults.scripted_provider import LONG, ScriptedProvider, health, until, verify

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    # What CPython 3.12 and later say of a fork with threads is what these tests are about.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning"),
]


def forked(work: Callable[[], object]) -> Callable[[], None]:
    """Fork a child that does `work`; the function returned waits for it and fails if it failed or hangs."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        report = b""
        try:
            work()
        except BaseException:  # noqa: BLE001 - the parent shows it
            report = traceback.format_exc().encode()
        os.write(writer, report or b"done")
        os._exit(0)
    os.close(writer)

    def wait() -> None:
        end = time.monotonic() + LONG
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                os.close(reader)
                raise AssertionError("the child hangs")
            time.sleep(0.002)
        with os.fdopen(reader, "rb") as pipe:
            report = pipe.read().decode()
        assert report == "done", report

    return wait


def accepted(server: ResourceServer, token: str) -> None:
    assert server.verify(token).subject == "user-1"


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_child_of_a_warm_server_serves_without_a_fetch_and_refreshes_by_itself(
    provider: ScriptedProvider, loop: str
) -> None:
    server = provider.server()
    server.warm_up()
    seen, unseen = provider.token(), provider.token()
    accepted(server, seen)

    def work() -> None:
        accepted(server, seen)
        assert anyio.run(server.averify, unseen, backend=loop).subject == "user-1"
        provider.clock.advance(599)
        accepted(server, provider.token())
        until(lambda: health(server)["age"] == 0)
        provider.clock.advance(599)
        anyio.run(server.averify, provider.token(), backend=loop)
        until(lambda: health(server)["age"] == 0)

    forked(work)()
    assert provider.fetches == 3
    assert health(server)["age"] == 0  # the parent knows nothing of it, and its clock stood still


def test_a_child_of_a_cold_server_fetches_for_itself(provider: ScriptedProvider) -> None:
    server = provider.server(discovered=True)
    token = provider.token()
    for number in (1, 2):
        forked(lambda: accepted(server, token))()
        assert provider.fetches == number
    accepted(server, token)
    assert provider.fetches == 3


@pytest.mark.parametrize("waiting", ["sync", "asyncio", "trio"])
def test_a_fork_amid_the_first_fetch_leaves_parent_and_child_whole(
    provider: ScriptedProvider, waiting: str
) -> None:
    server, token, gate = provider.server(), provider.token(), threading.Event()
    provider.answer(held(gate, respond(provider.issuer.jwks())))
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(verify, server, token, waiting)
        until(lambda: provider.fetches == 1)
        # The child has neither the thread that fetches nor the one that waits; it begins anew.
        wait = forked(lambda: accepted(server, token))
        until(lambda: provider.fetches == 2)
        gate.set()
        wait()
        assert asked.result(LONG).subject == "user-1"
    assert provider.fetches == 2


def test_a_fork_amid_a_refresh_ahead_leaves_the_child_its_keys_and_its_refreshes(
    provider: ScriptedProvider,
) -> None:
    server, gate = provider.server(), threading.Event()
    server.warm_up()
    provider.answer(held(gate, respond(provider.issuer.jwks())))
    provider.clock.advance(599)
    accepted(server, provider.token())
    until(lambda: provider.fetches == 2)

    def work() -> None:
        accepted(server, provider.token())
        until(lambda: health(server)["age"] == 0, "a refresh of the child's own")

    wait = forked(work)
    until(lambda: provider.fetches == 3)
    gate.set()
    wait()
    until(lambda: health(server)["age"] == 0, "the refresh of the parent")


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="free-threaded CPython itself hangs: what another thread is writing at the fork stays locked",
)
def test_a_hundred_forks_amid_the_work_of_other_threads_leave_no_child_hanging(
    provider: ScriptedProvider,
) -> None:
    """Whatever lock a thread of the parent happens to hold, the child must not wait for it."""
    # So short a lifetime that the clock, which runs with each token, does not pass the stale bound of an hour
    # while a refresh takes its time.
    server = provider.server(lifetime=0.01)
    server.warm_up()
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            provider.clock.advance(0.0095)
            accepted(server, provider.token())

    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(busy) for _ in range(3)]
        try:
            for _ in range(100):
                forked(partial(accepted, server, provider.token()))()
        finally:
            stop.set()
        for one in running:
            one.result(LONG)
