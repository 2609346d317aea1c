"""Key sets that a fleet shares: one process fetches, the others take over what it got, and nothing else."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from typing import Any, cast

import pytest
import redis.asyncio

from bearerguard import InvalidToken, ProviderUnavailable, ResourceServer
from bearerguard._core.sealing import sealed
from bearerguard._io.shared_keys import SharedKeys
from bearerguard.stores.redis import RedisStore
from bearerguard.testing import Clock, Issuer, signing_key
from tests.faults.fault_server import held, respond
from tests.faults.scripted_provider import (
    LONG,
    ScriptedProvider,
    health,
    scripted_provider,
    until,
)
from tests.stores.conftest import SECRET
from tests.stores.engines import Engine, free_port

Join = Callable[..., ResourceServer]


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with scripted_provider() as provider:
        yield provider


@pytest.fixture
def join(redis_engine: Engine, prefix: str, provider: ScriptedProvider) -> Iterator[Join]:
    """Returns the server of one more process of the fleet."""
    with ExitStack() as ending:

        def one_more(**options: Any) -> ResourceServer:
            settings = {"prefix": prefix, "secret": SECRET, "timeout": 10, **options.pop("of_store", {})}
            store = RedisStore(options.pop("url", redis_engine.url), **settings)
            ending.callback(store.close)
            server = ResourceServer(provider.provider(**options), store=store, clock=provider.clock)
            ending.callback(server.close)
            return server

        yield one_more


def test_the_test_kit_makes_servers_that_share_a_store(redis_engine: Engine, prefix: str) -> None:
    issuer = Issuer()
    for _ in range(2):  # each with a clock of its own, as servers of one process share their keys otherwise
        with closing(RedisStore(redis_engine.url, prefix=prefix, secret=SECRET, timeout=10)) as store:
            server = issuer.resource_server(store=store, clock=Clock(issuer.clock()))
            assert server.verify(issuer.token("ada")).subject == "ada"
            assert server.store is store
            server.close()
    assert issuer.count("/jwks") == 1


def test_one_process_fetches_and_the_others_take_over(provider: ScriptedProvider, join: Join) -> None:
    for _ in range(5):
        assert join().verify(provider.token()).subject == "user-1"
    assert provider.fetches == 1


def test_processes_that_start_at_once_fetch_once(provider: ScriptedProvider, join: Join) -> None:
    servers = [join() for _ in range(6)]
    token = provider.token()
    with ThreadPoolExecutor(len(servers)) as threads:
        tokens = list(threads.map(lambda server: server.verify(token), servers))
    assert {one.subject for one in tokens} == {"user-1"}
    assert provider.fetches == 1


def test_a_rotation_costs_the_fleet_one_fetch(provider: ScriptedProvider, join: Join) -> None:
    servers = [join() for _ in range(6)]
    for server in servers:
        server.verify(provider.token())
    for rotation in (2, 3):
        provider.clock.advance(31)
        provider.issuer.rotate()
        provider.publish()
        with ThreadPoolExecutor(len(servers)) as threads:
            list(threads.map(ResourceServer.verify, servers, [provider.token()] * len(servers)))
        assert provider.fetches == rotation


def test_a_scheduled_refresh_is_made_by_one(provider: ScriptedProvider, join: Join) -> None:
    servers = [join() for _ in range(4)]
    for server in servers:
        server.verify(provider.token())
    provider.clock.advance(599)
    for server in servers:
        server.verify(provider.token())
        until(partial(is_new, server))
    assert provider.fetches == 2


def test_keys_that_were_taken_over_keep_the_age_they_had(provider: ScriptedProvider, join: Join) -> None:
    join().verify(provider.token())
    provider.clock.advance(100)
    later = join()
    later.verify(provider.token())
    assert health(later)["age"] == 100


def test_a_key_that_was_published_after_the_others_asked_is_found_all_the_same(
    provider: ScriptedProvider, join: Join
) -> None:
    """What is taken over may be older than the key that is wanted: then the process asks for itself."""
    one, other = join(), join()
    one.verify(provider.token())
    other.verify(provider.token())
    provider.issuer.rotate()
    provider.publish()
    provider.clock.advance(1)
    one.verify(provider.token())  # the fleet has the second key
    provider.issuer.rotate()
    provider.publish()
    provider.clock.advance(1)
    assert other.verify(provider.token()).subject == "user-1"
    assert provider.fetches == 3
    new = join()
    provider.issuer.rotate()
    provider.publish()
    assert new.verify(provider.token()).subject == "user-1"


def test_junk_costs_each_process_what_it_costs_alone(provider: ScriptedProvider, join: Join) -> None:
    server = join()
    server.verify(provider.token())
    for _ in range(5):
        with pytest.raises(InvalidToken):
            server.verify(provider.token(key=signing_key("Ed25519"), header={"kid": "unknown"}))
    assert provider.fetches == 2


def test_what_is_the_same_keeps_what_was_verified_under_it(provider: ScriptedProvider, join: Join) -> None:
    one, other = join(), join()
    one.verify(provider.token())
    other.verify(provider.token())
    keys = key_set_of(other).keys
    provider.clock.advance(599)
    one.verify(provider.token())
    until(lambda: health(one)["age"] == 0)
    other.verify(provider.token())
    until(lambda: health(other)["age"] == 0)
    assert key_set_of(other).keys is keys
    assert key_set_of(other).is_shared


def is_new(server: ResourceServer) -> bool:
    return bool(health(server)["age"] == 0)


def shared_of(server: ResourceServer) -> SharedKeys:
    (source,) = server._keys._sources.values()
    shared: SharedKeys = cast("Any", source)._shared
    return shared


def no_pause(_: float) -> None:
    """What a process waits for the one that leads is counted, and takes no time."""


def key_set_of(server: ResourceServer) -> Any:
    (source,) = server._keys._sources.values()
    return source.key_set


# -- trouble ----------------------------------------------------------------------------------------------


def test_without_the_store_each_fetches_for_itself(provider: ScriptedProvider, join: Join) -> None:
    for fetches in (1, 2):
        server = join(url=f"redis://127.0.0.1:{free_port()}")
        assert server.verify(provider.token()).subject == "user-1"
        assert provider.fetches == fetches


def test_a_leader_that_is_gone_keeps_nobody_waiting_for_long(
    provider: ScriptedProvider, join: Join, redis_engine: Engine
) -> None:
    """It was killed with the lock in hand."""
    server = join()
    values = server.store.values if server.store is not None else None
    assert values is not None
    shared = shared_of(server)
    assert values.lead(shared._name, 600) is not None
    shared._pause = no_pause
    assert server.verify(provider.token()).subject == "user-1"


def test_who_leads_lets_go_also_where_nothing_came_of_it(provider: ScriptedProvider, join: Join) -> None:
    provider.answer(respond("", status=500))
    with pytest.raises(ProviderUnavailable):
        join().verify(provider.token())
    provider.publish()
    fetches = provider.fetches
    assert join().verify(provider.token()).subject == "user-1"
    assert provider.fetches == fetches + 1


def test_while_the_provider_is_down_a_new_process_has_the_keys_of_the_others(
    provider: ScriptedProvider, join: Join
) -> None:
    join().verify(provider.token())
    provider.answer(respond("", status=500))
    provider.clock.advance(700)  # past their lifetime, within the stale hour
    late = join()
    assert late.verify(provider.token()).subject == "user-1"
    assert health(late)["state"] == "stale"
    provider.clock.advance(3600)
    with pytest.raises(ProviderUnavailable):
        join().verify(provider.token())


def test_a_follower_whose_leader_hangs_asks_for_itself(provider: ScriptedProvider, join: Join) -> None:
    gate, body = threading.Event(), provider.issuer.jwks()
    provider.answer(held(gate, respond(body)), respond(body))
    leader, follower, token = join(), join(timeout=LONG / 2), provider.token()
    shared_of(follower)._pause = no_pause
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(leader.verify, token)
        until(lambda: provider.fetches == 1, "the leader asks")
        assert follower.verify(token).subject == "user-1"
        assert not waiting.done()
        gate.set()
        assert waiting.result(LONG).subject == "user-1"


# -- what is believed -------------------------------------------------------------------------------------


def of_thief(provider: ScriptedProvider, **changes: Any) -> tuple[Issuer, bytes]:
    """An issuer of the same URL with keys of its own, and the entry that would have them believed."""
    thief = Issuer(provider.issuer.url, algorithm="Ed25519", clock=provider.clock)
    entry = {
        "origin": provider.faults.url("/jwks"),
        "fetched_at": provider.clock(),
        "lifetime": 600,
        "etag": None,
        "is_whole": True,
        "address": None,
        "keys": thief.jwks()["keys"],
        **changes,
    }
    return thief, json.dumps(entry).encode()


@pytest.mark.parametrize("how", ["plain", "another secret", "another name", "garbage", "huge"])
def test_who_can_write_the_store_plants_no_key(
    provider: ScriptedProvider, join: Join, redis_engine: Engine, prefix: str, how: str
) -> None:
    join().verify(provider.token())
    name, value = redis_engine.stored(f"{prefix}:k:*")
    thief, entry = of_thief(provider)
    nonce = bytes(12)
    forged = {
        "plain": entry,
        "another secret": sealed(b"a secret that a thief has made up", name.decode(), 1, entry, nonce),
        "another name": value[:-4] + b"AAAA",
        "garbage": b"\xff\x00garbage",
        "huge": b"A" * (2 * 1024 * 1024),
    }[how]
    redis_engine.put(name, forged)
    server = join()
    with pytest.raises(InvalidToken):
        server.verify(thief.token())
    assert server.verify(provider.token()).subject == "user-1"
    assert provider.fetches >= 2, "it asked for itself"


def test_keys_of_one_issuer_are_not_taken_for_those_of_another(
    provider: ScriptedProvider, join: Join, redis_engine: Engine, prefix: str
) -> None:
    """Both are sealed by the fleet itself; who writes the store puts the one in the place of the other."""
    join().verify(provider.token())
    name, _ = redis_engine.stored(f"{prefix}:k:*")
    with scripted_provider() as other:
        store = RedisStore(redis_engine.url, prefix=f"{prefix}x", secret=SECRET, timeout=10)
        server = ResourceServer(other.provider(), store=store, clock=other.clock)
        server.verify(other.token())
        its_name, its_value = redis_engine.stored(f"{prefix}x:k:*")
        assert its_name.rpartition(b":")[2] != name.rpartition(b":")[2]
        redis_engine.put(name, its_value)
        server.close()
        store.close()
    fresh = join()
    assert fresh.verify(provider.token()).subject == "user-1"
    assert provider.fetches == 2


def with_secret(name: bytes, entry: bytes) -> bytes:
    """As a process of the fleet seals it."""
    return sealed(SECRET, name.decode(), 1, entry, bytes(12))


@pytest.mark.parametrize(
    "changes",
    [
        {"fetched_at": 1_800_000_000 + 3600},
        {"fetched_at": 1_800_000_000 - 600 - 3601},
        {"fetched_at": "now"},
        {"fetched_at": None},
        {"origin": "https://elsewhere.example/jwks"},
        {"keys": []},
        {"keys": None},
        {"keys": [{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "x"}]},
        {"lifetime": "long"},
    ],
    ids=str,
)
def test_what_the_fleet_sealed_is_judged_by_what_stands_inside(
    provider: ScriptedProvider, join: Join, redis_engine: Engine, prefix: str, changes: dict[str, Any]
) -> None:
    join().verify(provider.token())
    name, _ = redis_engine.stored(f"{prefix}:k:*")
    thief, entry = of_thief(provider, **changes)
    redis_engine.put(name, with_secret(name, entry))
    with pytest.raises(InvalidToken):
        join().verify(thief.token())
    assert provider.fetches >= 2


def test_an_old_set_that_is_put_back_is_not_taken_by_who_has_a_newer_one(
    provider: ScriptedProvider, join: Join, redis_engine: Engine, prefix: str
) -> None:
    server = join()
    server.verify(provider.token())
    name, old = redis_engine.stored(f"{prefix}:k:*")
    withdrawn = provider.token()
    assert server.verify(withdrawn).subject == "user-1"
    provider.issuer.rotate(overlap=False)
    provider.clock.advance(599)
    provider.publish()
    server.verify(provider.token())
    until(lambda: health(server)["age"] == 0)
    for _ in range(3):
        redis_engine.put(name, old)
        provider.clock.advance(31)
        with pytest.raises(InvalidToken):
            server.verify(withdrawn)


def test_who_reads_the_store_reads_no_key_and_no_issuer(
    provider: ScriptedProvider, join: Join, redis_engine: Engine, prefix: str
) -> None:
    join().verify(provider.token())
    name, value = redis_engine.stored(f"{prefix}:k:*")
    assert name.count(b":") == 2
    for key in provider.issuer.jwks()["keys"]:
        assert key["kid"].encode() not in value
    assert provider.issuer.url.encode() not in name + value


def test_pins_hold_for_keys_of_other_processes(provider: ScriptedProvider, join: Join) -> None:
    join().verify(provider.token())
    pinned = join(pinned_thumbprints=["A" * 43])
    with pytest.raises(ProviderUnavailable):
        pinned.verify(provider.token())


# -- without a secret -------------------------------------------------------------------------------------


def test_without_a_secret_each_fetches_for_itself_and_the_server_says_so_once(
    provider: ScriptedProvider, redis_engine: Engine, prefix: str
) -> None:
    store = RedisStore(redis_engine.url, prefix=prefix, timeout=10)
    for fetches in (1, 2):
        with pytest.warns(UserWarning, match="secret=") as told:
            server = ResourceServer(
                provider.provider(lifetime=600 + fetches), store=store, clock=provider.clock
            )
        assert [one.filename for one in told] == [__file__]
        server.verify(provider.token())
        assert provider.fetches == fetches
        server.close()
    store.close()


def test_where_there_is_nothing_to_share_nothing_is_said(redis_engine: Engine) -> None:
    issuer = Issuer()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ResourceServer(issuer.provider(keys=issuer.jwks()), store=RedisStore(redis_engine.url))


def test_with_an_async_client_only_the_server_says_that_threads_share_nothing(
    provider: ScriptedProvider,
) -> None:
    store = RedisStore(async_client=redis.asyncio.Redis(), secret=SECRET)
    with pytest.warns(UserWarning, match="client="):
        server = ResourceServer(provider.provider(), store=store, clock=provider.clock)
    assert server.verify(provider.token()).subject == "user-1"
    server.close()


def test_a_fleet_on_each_kind_of_engine(
    two_stores: tuple[RedisStore, RedisStore], provider: ScriptedProvider
) -> None:
    for store in two_stores:
        server = ResourceServer(provider.provider(), store=store, clock=provider.clock)
        assert server.verify(provider.token()).subject == "user-1"
        server.close()
    assert provider.fetches == 1
