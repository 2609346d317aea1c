"""What a server tells of its store, and that telling it costs nobody a wait or an error."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import redis.asyncio

from bearerguard import ResourceServer, Revocation
from bearerguard.stores.redis import RedisStore
from bearerguard.testing import Issuer
from tests.stores.conftest import SECRET
from tests.stores.engines import Engine, free_port, until


def server(store: RedisStore, **options: Any) -> ResourceServer:
    issuer = Issuer(algorithm="Ed25519")
    return ResourceServer(issuer.provider(keys=issuer.jwks()), store=store, clock=issuer.clock, **options)


@pytest.fixture
def of_engine(own_engine: Engine, prefix: str) -> Iterator[RedisStore]:
    store = RedisStore(own_engine.url, prefix=prefix, timeout=10)
    yield store
    store.close()


def told(at: ResourceServer) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(json.dumps(at.health()))["store"]
    return report


def test_a_server_without_a_store_says_nothing_of_one() -> None:
    issuer = Issuer(algorithm="Ed25519")
    assert "store" not in issuer.resource_server(keys=issuer.jwks()).health()


def test_each_kind_of_engine_says_what_it_forgets_and_holds(store: RedisStore) -> None:
    report = told(server(store))
    assert report.keys() == {"reachable", "lag", "eviction", "memory", "entries"}
    assert (report["reachable"], report["eviction"]) == (True, "noeviction")
    assert report["memory"] > 0
    assert report["lag"] is report["entries"] is None, "there are no revocations"


def test_an_engine_that_forgets_says_so(own_engine: Engine, of_engine: RedisStore) -> None:
    with own_engine.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    assert told(server(of_engine))["eviction"] == "allkeys-lru"


def test_revocations_add_how_many_there_are_and_when_they_were_heard(of_engine: RedisStore) -> None:
    issuer = Issuer(algorithm="Ed25519")
    provider = issuer.provider(keys=issuer.jwks())
    at = ResourceServer(provider, store=of_engine, clock=issuer.clock, revocation=Revocation())
    at.revoke(subject="ada")
    at.verify(issuer.token("grace"))
    report = told(at)
    assert report["entries"] == 1
    assert report["lag"] >= 0
    at.close()


def test_an_engine_that_is_away_is_told_and_raises_nothing(prefix: str) -> None:
    at = server(RedisStore(f"redis://127.0.0.1:{free_port()}", prefix=prefix, timeout=10))
    for _ in range(3):
        report = told(at)
        assert (report["reachable"], report["eviction"], report["memory"]) == (False, None, None)


def test_a_task_waits_for_nothing_and_is_told_what_was_found_last(of_engine: RedisStore) -> None:
    at = server(of_engine)

    async def probe() -> None:
        # A call that waited would raise here: no event loop may be blocked in these tests.
        while told(at)["eviction"] is None:  # noqa: ASYNC110 - what is waited for happens in a thread
            await asyncio.sleep(0.01)
        assert told(at)["reachable"] is True

    asyncio.run(asyncio.wait_for(probe(), 60))


def test_with_an_async_client_only_nothing_is_asked() -> None:
    at = server(RedisStore(async_client=redis.asyncio.Redis()))
    assert told(at) == dict.fromkeys(["reachable", "lag", "eviction", "memory", "entries"])


LEAST = (
    "user fleet on >password resetchannels resetkeys ~{prefix}:* -@all +get +set +del +xadd +xrange +xtrim"
)


def test_a_user_with_the_least_privileges_shares_all_of_it(
    own_engine: Engine, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No command of `@admin` or `@dangerous`: what only those tell is None."""
    with own_engine.client() as client:
        say: Any = client
        say.execute_command("ACL", "SETUSER", *LEAST.format(prefix=prefix).split()[1:])
    url = f"redis://fleet:password@127.0.0.1:{own_engine.port}/0"
    store = RedisStore(url, prefix=prefix, secret=SECRET, timeout=10)
    other = RedisStore(own_engine.url, prefix=prefix, secret=SECRET, timeout=10)
    with caplog.at_level(logging.WARNING, "bearerguard"):
        issuer = Issuer(algorithm="Ed25519")
        both = [
            ResourceServer(
                issuer.provider(introspection=True), store=one, clock=issuer.clock, revocation=Revocation()
            )
            for one in (store, other)
        ]
        opaque, jwt = issuer.opaque_token("ada"), issuer.token("grace")
        for one in both:
            assert one.verify(opaque).subject == "ada"
            assert one.verify(jwt).subject == "grace"
        both[0].revoke(subject="grace")
        until(lambda: told(both[1])["entries"] == 1, "the other server hears of it")
        report = told(both[0])
        assert (report["reachable"], report["eviction"], report["memory"]) == (True, None, None)
    assert [record.getMessage() for record in caplog.records] == []
    for one in both:
        one.close()
    store.close()
    other.close()
