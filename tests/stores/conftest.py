"""Engines for the tests of stores: one of each kind for all tests, and one of a test's own to ill-treat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
import valkey

from bearerguard.stores.redis import RedisStore
from tests.stores.engines import Cluster, Engine, Sentinels, close_sentinel, redis_server, valkey_server


@pytest.fixture(scope="session")
def redis_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Debian's Redis, for all tests: each has a prefix of its own."""
    engine = Engine(redis_server(), tmp_path_factory.mktemp("redis")).start()
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def valkey_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Valkey 8, for all tests."""
    engine = Engine(valkey_server(), tmp_path_factory.mktemp("valkey")).start()
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def sentinels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sentinels]:
    """Redis behind a Sentinel, for all tests that leave it as it is."""
    sentinels = Sentinels(tmp_path_factory.mktemp("sentinels"))
    yield sentinels
    sentinels.stop()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Cluster of three nodes, for all tests."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[Engine]:
    """A Redis of this test only, to be killed, frozen and filled."""
    engine = Engine(redis_server(), tmp_path / "engine").start()
    yield engine
    engine.stop()


@pytest.fixture
def prefix() -> str:
    """How the names of this test begin."""
    return f"test-{uuid4().hex[:12]}"


KINDS = [
    "redis",
    "redis, a client that decodes",
    "valkey",
    "valkey, by its own package",
    "sentinel",
    "cluster",
]
"""What a store may stand on."""


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, prefix: str) -> Iterator[RedisStore]:
    """A store on each kind of engine, as one of the processes of a fleet has it."""
    with ExitStack() as ending:
        yield fleet_member(request, prefix, ending)


@pytest.fixture(params=KINDS)
def two_stores(request: pytest.FixtureRequest, prefix: str) -> Iterator[tuple[RedisStore, RedisStore]]:
    """The stores of two processes of one fleet, on each kind of engine."""
    with ExitStack() as ending:
        yield fleet_member(request, prefix, ending), fleet_member(request, prefix, ending)


SECRET = b"a secret of a fleet, 32 bytes up"


def fleet_member(request: pytest.FixtureRequest, prefix: str, ending: ExitStack) -> RedisStore:
    """One more store of the kind that the test runs with."""
    options: dict[str, Any] = {"prefix": prefix, "secret": SECRET, "timeout": 10}
    kind, _, way = request.param.partition(", ")
    if kind in ("redis", "valkey") and not way:
        engine: Engine = request.getfixturevalue(f"{kind}_engine")
        return closed_by(ending, RedisStore(engine.url, **options))
    client: Any
    if kind == "redis":
        client = redis.Redis(port=request.getfixturevalue("redis_engine").port, decode_responses=True)
    elif kind == "valkey":
        client = valkey.Valkey(port=request.getfixturevalue("valkey_engine").port)
    elif kind == "sentinel":
        sentinel = request.getfixturevalue("sentinels").sentinel()
        ending.callback(close_sentinel, sentinel)
        client = sentinel.master_for("fleet")
    else:
        client = redis.RedisCluster(host="127.0.0.1", port=request.getfixturevalue("cluster").nodes[0].port)
    ending.callback(client.close)
    return RedisStore(client=client, **options)


def closed_by(ending: ExitStack, store: RedisStore) -> RedisStore:
    ending.callback(store.close)
    return store
