"""One command at a time: within the deadline, at once while the engine is away, for threads and tasks."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
import trio

from bearerguard import ConfigurationError
from bearerguard._flows.effects import StoreFailed
from bearerguard.stores.redis import RedisStore
from bearerguard.stores.redis._clients import Clients
from bearerguard.stores.redis._commands import Commands
from tests.stores.engines import Engine, free_port, until

PROBABLY = 60.0
"""Seconds: a deadline that a loaded machine keeps."""


@pytest.fixture
def store(redis_engine: Engine, prefix: str) -> Iterator[RedisStore]:
    store = RedisStore(redis_engine.url, prefix=prefix, timeout=10)
    yield store
    store.close()


def get(name: str) -> Callable[[Any], Any]:
    return lambda client: client.get(name)


def put(name: str, value: str = "1") -> Callable[[Any], Any]:
    return lambda client: client.set(name, value, nx=True, px=60_000)


def test_a_thread_and_a_task_run_the_same_command(store: RedisStore, prefix: str) -> None:
    assert store.commands.is_reachable is None
    assert store.commands.run(put(f"{prefix}:a")) is True
    assert asyncio.run(store.commands.arun(put(f"{prefix}:a"))) is None
    assert store.commands.is_reachable is True


def test_a_task_of_trio_asks_by_a_thread(store: RedisStore, prefix: str) -> None:
    assert trio.run(store.commands.arun, put(f"{prefix}:a")) is True
    assert trio.run(store.commands.arun, put(f"{prefix}:a")) is None


def test_one_event_loop_after_another_has_a_client_of_its_own(store: RedisStore, prefix: str) -> None:
    for number in range(3):
        assert asyncio.run(store.commands.arun(put(f"{prefix}:{number}"))) is True
    assert not store._clients._async, "a client ends with its loop"


def test_event_loops_of_several_threads_ask_at_once(store: RedisStore, prefix: str) -> None:
    found: list[Any] = []

    async def several() -> None:
        found.extend(await asyncio.gather(*(store.commands.arun(put(f"{prefix}:{n}")) for n in range(20))))

    threads = [threading.Thread(target=lambda: asyncio.run(several())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PROBABLY)
    assert sorted(map(str, found)) == ["None"] * 60 + ["True"] * 20


def test_tasks_that_are_cancelled_take_no_reply_of_another(store: RedisStore, prefix: str) -> None:
    """What a cancelled command is answered must not be read by the next that has its connection."""

    async def many() -> None:
        for number in range(50):
            await store.commands.arun(put(f"{prefix}:{number}", str(number)))
        asked = [asyncio.create_task(store.commands.arun(get(f"{prefix}:{n}"))) for n in range(50)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in asked[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        for number, outcome in enumerate(outcomes):
            assert outcome == str(number).encode() or isinstance(outcome, asyncio.CancelledError)
        for number in range(50):
            reply = await store.commands.arun(get(f"{prefix}:{number}"))
            assert reply == str(number).encode()

    asyncio.run(many())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_asks_over_connections_of_its_own(store: RedisStore, prefix: str) -> None:
    assert store.commands.run(put(f"{prefix}:parent"))
    child = os.fork()
    if child == 0:
        try:
            first = store.commands.run(put(f"{prefix}:child"))
            second = asyncio.run(store.commands.arun(put(f"{prefix}:parent")))
            os._exit(0 if first is True and second is None else 1)
        except BaseException:  # noqa: BLE001 - nothing may go on as a second run of the tests
            os._exit(2)
    for _ in range(100):
        assert store.commands.run(lambda client: client.get(f"{prefix}:parent")) == b"1"
    assert os.waitpid(child, 0)[1] == 0


# -- an engine that is away --------------------------------------------------------------------------------


class Moving:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def failing(commands: Commands, name: str = "x") -> StoreFailed:
    with pytest.raises(StoreFailed) as failed:
        commands.run(put(name))
    return failed.value


def test_where_nothing_listens_one_command_fails_and_the_others_do_not_ask() -> None:
    clock = Moving()
    clients = Clients(f"redis://127.0.0.1:{free_port()}", None, None, 10)
    commands = Commands(clients, 10, clock=clock)
    asked: list[Any] = []

    def ask(client: Any) -> Any:
        asked.append(client)
        return client.get("x")

    for _ in range(5):
        with pytest.raises(StoreFailed) as failed:
            commands.run(ask)
        assert failed.value.retry_after >= 1
    assert len(asked) == 1
    assert commands.is_reachable is False
    assert commands.rest() == 0.25
    with pytest.raises(StoreFailed, match="a moment ago"):
        asyncio.run(commands.arun(ask))
    with pytest.raises(StoreFailed, match="a moment ago"):
        trio.run(commands.arun, ask)
    clock.now += 0.25
    assert failing(commands).kind == "connection"
    assert commands.rest() == 0.5, "a probe that fails doubles the rest"
    for _ in range(5):
        clock.now += 10
        failing(commands)
    assert commands.rest() == 2.0


def test_an_engine_that_comes_back_is_found_by_the_next_probe(
    own_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Moving()
    clients = Clients(own_engine.url, None, None, 5)
    commands = Commands(clients, 5, clock=clock)
    assert commands.run(put("a"))
    own_engine.stop()
    with caplog.at_level(logging.INFO, "bearerguard"):
        assert failing(commands).kind == "connection"
        assert failing(commands).kind == "resting"
        own_engine.start()
        assert failing(commands).kind == "resting"
        clock.now += 1
        assert commands.run(put("a")) is True
        assert commands.run(put("a")) is None
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"], "each is told once"
    assert commands.rest() == 0
    clients.close()


def test_a_frozen_engine_costs_one_deadline_for_a_thread_and_for_a_task(own_engine: Engine) -> None:
    clock = Moving()
    clients = Clients(own_engine.url, None, None, 0.25)
    commands = Commands(clients, 0.25, clock=clock)
    with own_engine.client() as client:
        client.set("a", "1")
    until(lambda: recovered(commands, clock), "a first answer")
    own_engine.freeze()
    try:
        assert failing(commands).kind == "timeout"
        assert failing(commands).kind == "resting"
        clock.now += 10
        with pytest.raises(StoreFailed) as failed:
            asyncio.run(commands.arun(put("a")))
        assert failed.value.kind == "timeout"
    finally:
        own_engine.thaw()
    clock.now += 10
    until(lambda: recovered(commands, clock), "it answers again")
    clients.close()


def recovered(commands: Commands, clock: Moving) -> bool:
    clock.now += 10
    try:
        return bool(commands.run(lambda client: client.get("a")) == b"1")
    except StoreFailed:
        return False


def test_a_client_of_the_programs_own_is_held_to_the_deadline_whatever_its_own_is() -> None:
    """It would wait for ever: the other side accepts connections and says nothing."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = redis.Redis(port=silent.getsockname()[1], socket_timeout=None)
        commands = Commands(Clients(None, client, None, 0.25), 0.25, clock=Moving())
        assert failing(commands).kind == "timeout"
        assert failing(commands).kind == "resting"


def test_a_probe_that_is_cancelled_leaves_the_next_to_another(own_engine: Engine) -> None:
    clock = Moving()
    clients = Clients(own_engine.url, None, None, 5)
    commands = Commands(clients, 5, clock=clock)
    own_engine.stop()
    failing(commands)
    own_engine.start()
    clock.now += 1

    async def probe() -> None:
        task = asyncio.create_task(commands.arun(put("a")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert await commands.arun(put("b")) is True

    asyncio.run(probe())


def test_an_engine_that_says_no_is_there_and_others_are_let_in(own_engine: Engine) -> None:
    with own_engine.client() as client:
        client.config_set("maxmemory", "1")
        client.config_set("maxmemory-policy", "noeviction")
    clients = Clients(own_engine.url, None, None, 10)
    commands = Commands(clients, 10)
    assert failing(commands).kind == "refused"
    assert commands.rest() == 0
    assert commands.run(lambda client: client.get("x")) is None
    assert commands.is_reachable is True
    clients.close()


# -- clients of the program's own --------------------------------------------------------------------------


def test_a_client_that_decodes_brings_bytes_all_the_same(redis_engine: Engine, prefix: str) -> None:
    client = redis.Redis(port=redis_engine.port, decode_responses=True)
    commands = RedisStore(client=client, prefix=prefix, timeout=10).commands
    commands.run(lambda client: client.xadd(f"{prefix}:s", {"a": "b"}, id="1-1"))
    assert commands.run(lambda client: client.xrange(f"{prefix}:s")) == [(b"1-1", {b"a": b"b"})]
    client.close()


def test_tasks_use_a_sync_client_by_a_thread(redis_engine: Engine, prefix: str) -> None:
    client = redis.Redis(port=redis_engine.port)
    store = RedisStore(client=client, prefix=prefix, timeout=10)
    assert asyncio.run(store.commands.arun(put(f"{prefix}:a"))) is True
    client.close()


def test_an_async_client_serves_the_loop_that_used_it_first(redis_engine: Engine, prefix: str) -> None:
    client = redis.asyncio.Redis(port=redis_engine.port)  # here, as making it reads from disk

    async def on_a_loop() -> None:
        store = RedisStore(async_client=client, prefix=prefix, timeout=10)
        assert await store.commands.arun(put(f"{prefix}:a")) is True
        with pytest.raises(ConfigurationError, match="client="):
            await asyncio.to_thread(store.commands.run, put(f"{prefix}:a"))
        with pytest.raises(ConfigurationError, match="client="):
            await asyncio.to_thread(asyncio.run, store.commands.arun(put(f"{prefix}:a")))
        await client.aclose()

    asyncio.run(on_a_loop())


def test_nothing_is_connected_to_before_it_is_needed() -> None:
    store = RedisStore(f"redis://127.0.0.1:{free_port()}")
    assert store.commands.is_reachable is None
    store.close()
    asyncio.run(store.aclose())
    trio.run(store.aclose)


def test_a_loop_that_was_closed_by_itself_breaks_nothing(store: RedisStore, prefix: str) -> None:
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(store.commands.arun(put(f"{prefix}:a"))) is True
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    assert asyncio.run(store.commands.arun(put(f"{prefix}:a"))) is None
    gc.collect()
