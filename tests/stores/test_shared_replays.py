"""Proofs that a fleet notes: each is good once, whichever process it comes to, on every kind of engine."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
import redis
import redis.asyncio
import trio
import valkey.asyncio

from bearerguard import AuthError, ConfigurationError, DPoP, UseDPoPNonce
from bearerguard._flows.effects import ReplayKey, SharedReplays, Unanswered
from bearerguard.stores import MemoryReplayStore
from bearerguard.stores.redis import RedisStore
from bearerguard.testing import Clock
from tests.proofs import proof, request, server
from tests.stores.conftest import SECRET
from tests.stores.engines import Cluster, Engine, Sentinels, until


class InMemory:
    """The store of one process, asked as that of a fleet is."""

    def __init__(self) -> None:
        self._store = MemoryReplayStore(Clock(1_700_000_000.0))

    def ask(self, key: ReplayKey, seconds: float | None) -> bool | Unanswered:
        return not self._store.seen(key) if seconds is None else self._store.add(key, seconds)

    async def ask_async(self, key: ReplayKey, seconds: float | None) -> bool | Unanswered:
        return self.ask(key, seconds)


def key(number: int, thumbprint: str = "a") -> ReplayKey:
    return ReplayKey(thumbprint, number.to_bytes(32, "big"))


def check_contract(one: SharedReplays, other: SharedReplays) -> None:
    """What holds of every store of proofs, in one process or by two."""
    assert one.ask(key(1), None) is True
    assert one.ask(key(1), 60) is True
    assert one.ask(key(1), 60) is False
    assert other.ask(key(1), 60.5) is False
    assert other.ask(key(1), None) is False
    assert other.ask(key(2), None) is True, "what is looked for is not noted"
    assert other.ask(key(2), 60) is True
    assert asyncio.run(one.ask_async(key(2), 60)) is False
    assert asyncio.run(one.ask_async(key(3), 60)) is True
    assert trio.run(other.ask_async, key(3), 60) is False


def test_in_memory_a_proof_is_good_once() -> None:
    store = InMemory()
    check_contract(store, store)


def test_a_proof_is_good_once_in_the_whole_fleet(two_stores: tuple[RedisStore, RedisStore]) -> None:
    check_contract(*(store.replays for store in two_stores))


def test_of_many_threads_and_tasks_of_two_processes_one_is_the_first(
    two_stores: tuple[RedisStore, RedisStore],
) -> None:
    for number in range(5):
        start = threading.Barrier(16)

        def note(one: int, start: threading.Barrier = start, number: int = number) -> Any:
            start.wait(60)
            replays = two_stores[one % 2].replays
            if one % 4 < 2:
                return replays.ask(key(number), 60)
            return asyncio.run(replays.ask_async(key(number), 60))

        with ThreadPoolExecutor(16) as threads:
            assert sorted(threads.map(note, range(16))) == [False] * 15 + [True]


def test_a_proof_ends_by_the_engines_clock_after_its_time(store: RedisStore) -> None:
    store.replays.ask(key(1), 61.25)
    left = store.commands.run(lambda client: client.pttl(store.replays._name(key(1))))
    assert 50_000 < left <= 61_250
    store.replays.ask(key(2), 0.05)
    until(lambda: store.replays.ask(key(2), None) is True, "it is forgotten")


def test_two_apis_with_prefixes_of_their_own_do_not_meet(redis_engine: Engine, prefix: str) -> None:
    stores = [RedisStore(redis_engine.url, prefix=f"{prefix}.{name}", timeout=10) for name in "ab"]
    assert [store.replays.ask(key(1), 60) for store in stores] == [True, True]
    for store in stores:
        store.close()


def test_nothing_of_a_proof_stands_in_the_store(redis_engine: Engine, prefix: str) -> None:
    jti = "an-identifier-that-somebody-looks-for"
    for secret in (None, SECRET):
        store = RedisStore(redis_engine.url, prefix=prefix, secret=secret, timeout=10)
        at = server(store=store)
        at.authenticate(request(proof(jti=jti)))
        at.close()
        store.close()
    with redis_engine.client() as client:
        names = list(client.scan_iter(f"{prefix}:*"))
        assert len(names) == 2, "with a secret the name is another one"
        said = b" ".join([*names, *(value for value in client.mget(names) if isinstance(value, bytes))])
    assert jti.encode() not in said
    assert all(name.count(b":") == 2 for name in names)


# -- as servers use it ------------------------------------------------------------------------------------


def test_a_proof_that_one_server_took_is_refused_by_the_other(
    two_stores: tuple[RedisStore, RedisStore],
) -> None:
    one, other = (server(store=store) for store in two_stores)
    sent = proof()
    assert one.authenticate(request(sent)).confirmation == "dpop"
    for refusing in (one, other):
        with pytest.raises(AuthError) as refused:
            refusing.authenticate(request(sent))
        assert refused.value.reason == "proof_replayed"
        with pytest.raises(AuthError) as refused:
            asyncio.run(refusing.aauthenticate(request(sent)))
        assert refused.value.reason == "proof_replayed"
    assert other.authenticate(request(proof())).confirmation == "dpop"


def test_a_store_that_is_away_is_answered_503_and_never_let_in(own_engine: Engine, prefix: str) -> None:
    store = RedisStore(own_engine.url, prefix=prefix, timeout=10)
    at = server(store=store)
    sent = proof()
    at.authenticate(request(sent))
    own_engine.stop()
    for asked in (sent, proof(), proof()):
        with pytest.raises(AuthError) as refused:
            at.authenticate(request(asked))
        assert (refused.value.status, refused.value.reason) == (503, "replay_store")
        assert refused.value.retry_after is not None
        assert refused.value.retry_after >= 1
    with pytest.raises(AuthError) as refused:
        asyncio.run(at.aauthenticate(request(proof())))
    assert refused.value.status == 503
    store.close()


def test_a_full_engine_is_answered_503_and_forgets_no_proof(own_engine: Engine, prefix: str) -> None:
    store = RedisStore(own_engine.url, prefix=prefix, timeout=10)
    at = server(store=store)
    sent = proof()
    at.authenticate(request(sent))
    with own_engine.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        with pytest.raises(AuthError) as refused:
            at.authenticate(request(proof()))
        assert (refused.value.status, refused.value.reason) == (503, "replay_store")
        client.config_set("maxmemory", "0")
    with pytest.raises(AuthError, match="used before"):
        at.authenticate(request(sent))
    assert at.authenticate(request(proof())).confirmation == "dpop"
    store.close()


def test_a_secret_of_nonces_that_is_of_one_process_is_refused_with_a_store(redis_engine: Engine) -> None:
    with pytest.raises(ConfigurationError, match=r"write DPoP\(nonce=secret\)"):
        server(DPoP(nonce=True), store=RedisStore(redis_engine.url))


def test_a_nonce_of_one_process_is_good_at_the_others(two_stores: tuple[RedisStore, RedisStore]) -> None:
    one, other = (server(DPoP(nonce=SECRET), store=store) for store in two_stores)
    with pytest.raises(UseDPoPNonce) as refused:
        one.authenticate(request(proof()))
    assert other.authenticate(request(proof(nonce=refused.value.nonce))).confirmation == "dpop"


class SendsTwice(redis.Redis):
    """A client whose connection breaks before each answer, and that tries again by itself, as they do."""

    def set(self, *args: Any, **options: Any) -> Any:
        super().set(*args, **options)
        return super().set(*args, **options)


def test_a_command_that_the_client_sent_twice_is_no_replay(redis_engine: Engine, prefix: str) -> None:
    client = SendsTwice(port=redis_engine.port)
    replays = RedisStore(client=client, prefix=prefix, timeout=10).replays
    assert replays.ask(key(1), 60) is True
    assert replays.ask(key(1), 60) is False
    client.close()


# -- what is particular to some engines -------------------------------------------------------------------


def test_after_a_failover_proofs_are_noted_at_the_new_master(
    tmp_path_factory: pytest.TempPathFactory, prefix: str
) -> None:
    sentinels = Sentinels(tmp_path_factory.mktemp("failover"))
    sentinel = sentinels.sentinel()
    client = sentinel.master_for("fleet", socket_timeout=10)
    store = RedisStore(client=client, prefix=prefix, timeout=10)
    try:
        assert store.replays.ask(key(1), 600) is True
        with sentinels.replica.client() as replica:
            until(lambda: replica.exists(store.replays._name(key(1))), "the proof is replicated")
        sentinels.failover()
        new = map(key, count(2))  # another one each time: one that was noted may have lost its answer
        until(lambda: store.replays.ask(next(new), 600) is True, "the store is there again")
        assert store.replays.ask(key(1), 600) is False, "what was replicated is still known"
    finally:
        client.close()
        for one in sentinel.sentinels:
            one.close()
        sentinels.stop()


def test_async_clients_of_clusters_and_of_valkey_are_taken(
    cluster: Cluster, valkey_engine: Engine, prefix: str
) -> None:
    of_cluster = redis.asyncio.RedisCluster(host="127.0.0.1", port=cluster.nodes[0].port)
    of_valkey = valkey.asyncio.Valkey(port=valkey_engine.port)

    async def note() -> None:
        for client in (of_cluster, of_valkey):
            replays = RedisStore(async_client=client, prefix=prefix, timeout=10).replays
            # One after the other: a new Cluster client of redis-py 8.1 fails where many begin at once.
            assert [await replays.ask_async(key(number), 60) for number in range(20)] == [True] * 20
            assert await replays.ask_async(key(7), 60) is False
            await client.aclose()

    asyncio.run(note())
