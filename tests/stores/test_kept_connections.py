"""A thread that asks the store has a connection to itself, from one command to the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import redis

from bearerguard._flows.effects import ReplayKey, StoreFailed
from bearerguard._limits import STORE_CONNECTIONS, STORE_KEPT
from bearerguard.stores.redis import RedisStore, _clients
from bearerguard.stores.redis._kept_client import KeptClient
from tests.faults.scripted_provider import until
from tests.stores.engines import Engine


@pytest.fixture
def store(own_engine: Engine) -> Iterator[RedisStore]:
    store = RedisStore(own_engine.url, timeout=10)
    yield store
    store.close()


def put(client: Any) -> Any:
    return client.set("a", b"1")


def get(client: Any) -> Any:
    return client.get("a")


def kept(store: RedisStore) -> list[KeptClient]:
    """The clients that no thread uses at the moment."""
    ours = store._clients._ours
    return [] if ours is None else ours.kept


def connections(engine: Engine) -> int:
    """How many connections the engine has had, without the one that asks."""
    with engine.client() as client:
        found: int = client.info("stats")["total_connections_received"]
        return found - 1


def test_many_commands_go_over_one_connection(store: RedisStore, own_engine: Engine) -> None:
    before = connections(own_engine)
    store.commands.run(put)
    assert {store.commands.run(get) for _ in range(20)} == {b"1"}
    assert connections(own_engine) == before + 2  # one is the look before
    assert [type(one) for one in kept(store)] == [KeptClient]


def test_a_proof_is_noted_over_either_kind_of_connection(store: RedisStore) -> None:
    for number in range(3):  # the first one goes over the pool's
        key = ReplayKey("thumbprint", bytes([number]) * 32)
        assert [store.replays.ask(key, 60.0) for _ in range(3)] == [True, False, False]
        assert store.replays.ask(key, None) is False
    assert store.replays.ask(ReplayKey("thumbprint", b"new" * 10), None) is True


@pytest.mark.parametrize("has_poll", [True, False])
def test_an_engine_that_closed_the_connection_is_asked_over_another(
    store: RedisStore, own_engine: Engine, has_poll: bool
) -> None:
    store.commands.run(put)
    (first,) = kept(store)
    assert first.is_quiet()
    if not has_poll:
        first._poll = None
        assert first.is_quiet()
    with own_engine.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
    assert store.commands.run(get) == b"1"
    assert store.commands.run(get) == b"1"
    assert first not in kept(store)


def test_a_command_that_was_given_up_leaves_no_answer_to_the_next(store: RedisStore) -> None:
    def interrupted(client: Any) -> Any:
        assert isinstance(client, KeptClient)
        client.connection.send_command("ECHO", "what nobody waits for")
        raise KeyboardInterrupt

    def broken(client: Any) -> Any:
        client.connection.send_command("ECHO", "what nobody waits for")
        raise ValueError("of the program's own")

    store.commands.run(put)
    with pytest.raises(KeyboardInterrupt):
        store.commands.run(interrupted)
    assert store.commands.run(get) == b"1"
    with pytest.raises(StoreFailed):
        store.commands.run(broken)
    until(lambda: store.commands.rest() == 0, "the end of the rest after a failure")
    assert store.commands.run(get) == b"1"


def test_a_command_that_is_refused_costs_no_connection(store: RedisStore, own_engine: Engine) -> None:
    store.commands.run(put)
    before = connections(own_engine)
    for _ in range(3):
        with pytest.raises(StoreFailed, match="WRONGTYPE"):
            store.commands.run(lambda client: client.lpush("a", "1"))
    assert connections(own_engine) == before + 1  # the look before


def test_what_is_in_use_when_the_store_is_closed_is_closed_after_it(store: RedisStore) -> None:
    store.commands.run(put)
    clients: list[KeptClient] = []

    def closing(client: KeptClient) -> Any:
        clients.append(client)
        store.close()
        return client.get("a")

    assert store.commands.run(closing) == b"1"
    assert kept(store) == []
    assert not clients[0].connection
    assert store.commands.run(get) == b"1", "it is opened anew"


def all_at_once(store: RedisStore, number: int) -> None:
    """Have so many threads hold a connection at the same moment, a few times."""
    together = threading.Barrier(number)

    def ask(_: int) -> Any:
        return store.commands.run(lambda client: (get(client), together.wait(60))[0])

    with ThreadPoolExecutor(number) as threads:
        for _ in range(3):
            assert list(threads.map(ask, range(number))) == [b"1"] * number


def test_half_of_the_connections_stay_in_the_pool(
    store: RedisStore, own_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(KeptClient):
        """One that is made while other threads look if there is a place for theirs."""

        def __init__(self, pool: Any) -> None:
            time.sleep(0.05)
            super().__init__(pool)

    monkeypatch.setattr(_clients, "KeptClient", Slow)
    store.commands.run(put)
    all_at_once(store, STORE_CONNECTIONS)
    assert 1 < len(kept(store)) <= STORE_KEPT == STORE_CONNECTIONS // 2
    with own_engine.client() as client:
        assert client.info("clients")["connected_clients"] <= STORE_CONNECTIONS + 1


def test_of_few_connections_fewer_are_kept_and_more_threads_wait_for_the_others(own_engine: Engine) -> None:
    with closing(RedisStore(f"{own_engine.url}?max_connections=4", timeout=10)) as store:
        store.commands.run(put)
        all_at_once(store, 4)
        assert len(kept(store)) == 2
        with ThreadPoolExecutor(12) as threads:
            assert set(threads.map(lambda _: store.commands.run(get), range(200))) == {b"1"}
    with closing(RedisStore(f"{own_engine.url}?max_connections=1", timeout=10)) as store:
        assert [store.commands.run(get) for _ in range(3)] == [b"1"] * 3
        assert kept(store) == []


def test_where_one_connection_leads_nowhere_any_more_the_others_are_not_tried(
    own_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(RedisStore(own_engine.url, timeout=10)) as store:
        store.commands.run(put)
        all_at_once(store, 4)
        gone = [one.connection for one in kept(store)]
        assert len(gone) > 1

        def lost(self: Any, *_: Any, **__: Any) -> Any:
            """As of an address behind which another engine stands now: nothing says so before it is used."""
            if self in gone and self._sock in sockets:
                self.disconnect()
                raise redis.TimeoutError("Timeout reading from socket")
            return read(self, *_, **__)

        sockets = [one._sock for one in gone]
        read = type(gone[0]).read_response
        monkeypatch.setattr(type(gone[0]), "read_response", lost)
        with pytest.raises(StoreFailed, match="Timeout"):
            store.commands.run(get)
        until(lambda: store.commands.rest() == 0, "the end of the rest after a failure")
        assert store.commands.run(get) == b"1", "the first probe finds the engine"


def test_a_place_is_free_again_for_a_connection_that_was_closed(
    store: RedisStore, own_engine: Engine
) -> None:
    store.commands.run(put)
    for _ in range(STORE_KEPT + 1):
        with own_engine.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
        assert store.commands.run(get) == b"1"
    assert len(kept(store)) == 1

    def closing_meanwhile(client: Any) -> Any:
        store.close()
        store.commands.run(get)
        return client.get("a")

    for _ in range(3):
        assert store.commands.run(closing_meanwhile) == b"1"
    ours = store._clients._ours
    assert ours is not None
    places = sum(iter(lambda: ours.places.acquire(blocking=False), False))
    assert places + len(ours.kept) == STORE_KEPT
