"""What providers say of tokens, shared by a fleet: asked once, and believed no longer than by one process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest

from bearerguard import InvalidToken, ProviderUnavailable, ResourceServer
from bearerguard._core.sealing import sealed
from bearerguard.stores.redis import RedisStore
from bearerguard.testing import Clock, Issuer
from tests.stores.conftest import SECRET
from tests.stores.engines import Engine, free_port

Join = Callable[..., ResourceServer]
NOW = 1_800_000_000.0


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(algorithm="Ed25519", clock=Clock(NOW))


@pytest.fixture
def join(redis_engine: Engine, prefix: str, issuer: Issuer) -> Iterator[Join]:
    """Returns the server of one more process of the fleet."""
    with ExitStack() as ending:

        def one_more(
            url: str = redis_engine.url, *, secret: bytes = SECRET, **options: Any
        ) -> ResourceServer:
            store = RedisStore(url, prefix=prefix, secret=secret, timeout=10)
            ending.callback(store.close)
            at = options.pop("introspection_url", None)
            introspection = issuer.introspection(url=at, **options)
            provider = issuer.provider(introspection=introspection, keys=issuer.jwks())
            server = ResourceServer(provider, store=store, clock=issuer.clock)
            ending.callback(server.close)
            return server

        yield one_more


def asked(issuer: Issuer) -> int:
    """How often the issuer was asked about a token."""
    return issuer.count(urlsplit(issuer.introspection_endpoint).path)


def test_one_process_asks_about_a_token_and_the_others_believe_it(issuer: Issuer, join: Join) -> None:
    token = issuer.opaque_token("ada", "orders:read")
    for _ in range(4):
        found = join().verify(token)
        assert found.subject == "ada"
        assert found.scopes == {"orders:read"}
    assert asked(issuer) == 1


def test_processes_that_get_a_token_at_once_ask_once(issuer: Issuer, join: Join) -> None:
    servers, token = [join() for _ in range(4)], issuer.opaque_token("ada")
    with ThreadPoolExecutor(4) as threads:
        assert {one.subject for one in threads.map(lambda server: server.verify(token), servers)} == {"ada"}
    assert asked(issuer) <= 2, "a loaded machine may be slower than the three looks"


def test_an_answer_is_believed_from_when_it_was_asked_for_and_no_longer(issuer: Issuer, join: Join) -> None:
    one, other, token = join(), join(), issuer.opaque_token("ada")
    one.verify(token)
    issuer.clock.advance(29)
    other.verify(token)
    assert asked(issuer) == 1
    issuer.revoke(token)
    issuer.clock.advance(1)
    for server in (one, other):
        with pytest.raises(InvalidToken) as refused:
            server.verify(token)
        assert refused.value.reason == "inactive"


def test_a_process_with_a_shorter_budget_asks_sooner(issuer: Issuer, join: Join) -> None:
    token = issuer.opaque_token("ada")
    join().verify(token)
    strict = join(revocation_budget=5)
    strict.verify(token)
    assert asked(issuer) == 1
    issuer.clock.advance(5)
    strict.verify(token)
    assert asked(issuer) == 2


def test_a_process_that_believes_nothing_shares_nothing(
    issuer: Issuer, join: Join, redis_engine: Engine, prefix: str
) -> None:
    token = issuer.opaque_token("ada")
    join(revocation_budget=0).verify(token)
    with redis_engine.client() as client:
        assert not list(client.scan_iter(f"{prefix}:i:*"))
    join().verify(token)
    join(revocation_budget=0).verify(token)
    assert asked(issuer) == 3


def test_a_token_that_is_not_active_is_asked_about_once_in_ten_seconds(issuer: Issuer, join: Join) -> None:
    for _ in range(3):
        with pytest.raises(InvalidToken):
            join().verify("a-token-of-nobody")
    assert asked(issuer) == 1
    issuer.clock.advance(10)
    with pytest.raises(InvalidToken):
        join().verify("a-token-of-nobody")
    assert asked(issuer) == 2


def test_without_the_store_each_asks_for_itself(issuer: Issuer, join: Join) -> None:
    token = issuer.opaque_token("ada")
    for times in (1, 2):
        assert join(f"redis://127.0.0.1:{free_port()}").verify(token).subject == "ada"
        assert asked(issuer) == times


def test_a_provider_that_fails_leaves_nothing_behind(
    issuer: Issuer, join: Join, redis_engine: Engine, prefix: str
) -> None:
    token = issuer.opaque_token("ada")
    join().verify(issuer.opaque_token("grace"))
    with redis_engine.client() as client:
        client.flushall()
    endpoint = urlsplit(issuer.introspection_endpoint).path
    with issuer.outage(path=endpoint), pytest.raises(ProviderUnavailable):
        join().verify(token)
    with redis_engine.client() as client:
        assert not list(client.scan_iter(f"{prefix}:*")), "neither an answer nor a lock"
    assert join().verify(token).subject == "ada"


# -- what is believed, and by whom ------------------------------------------------------------------------


def test_who_reads_the_store_learns_neither_token_nor_subject(
    issuer: Issuer, join: Join, redis_engine: Engine, prefix: str
) -> None:
    token = issuer.opaque_token("ada-lovelace", email="ada@shop.example")
    join().verify(token)
    name, value = redis_engine.stored(f"{prefix}:i:*")
    for said in (token, "ada-lovelace", "ada@shop.example", issuer.url):
        assert said.encode() not in name + value
    assert name.count(b":") == 2


def test_another_secret_reads_nothing_and_writes_nothing(issuer: Issuer, join: Join) -> None:
    token = issuer.opaque_token("ada")
    join().verify(token)
    join(secret=b"the secret of another fleet, 32 b").verify(token)
    assert asked(issuer) == 2


def test_who_can_write_the_store_makes_no_token_valid(
    issuer: Issuer, join: Join, redis_engine: Engine, prefix: str
) -> None:
    with pytest.raises(InvalidToken):
        join().verify("a-token-of-a-thief")
    name, _ = redis_engine.stored(f"{prefix}:i:*")
    claims = {"sub": "admin", "aud": issuer.audience, "iss": issuer.url, "token_type": "Bearer"}
    entry = json.dumps({"asked_at": NOW, "claims": claims}).encode()
    of_nobody = sealed(b"a secret that a thief has made up", name.decode(), 1, entry, bytes(12))
    for forged in (entry, of_nobody, b"\x00garbage", b""):
        redis_engine.put(name, forged)
        with pytest.raises(InvalidToken):
            join().verify("a-token-of-a-thief")


def test_an_answer_about_one_token_says_nothing_of_another(
    issuer: Issuer, join: Join, redis_engine: Engine, prefix: str
) -> None:
    """The thief has a token of his own, and puts what is said of it, or of an admin's, where he likes."""
    join().verify(issuer.opaque_token("admin"))
    _, of_admin = redis_engine.stored(f"{prefix}:i:*")
    with redis_engine.client() as client:
        client.flushall()
    with pytest.raises(InvalidToken):
        join().verify("a-token-of-a-thief")
    name, _ = redis_engine.stored(f"{prefix}:i:*")
    redis_engine.put(name, of_admin)
    with pytest.raises(InvalidToken):
        join().verify("a-token-of-a-thief")


def test_an_old_answer_that_is_put_back_is_not_believed(
    issuer: Issuer, join: Join, redis_engine: Engine, prefix: str
) -> None:
    token = issuer.opaque_token("ada")
    join().verify(token)
    name, old = redis_engine.stored(f"{prefix}:i:*")
    issuer.revoke(token)
    issuer.clock.advance(30)
    redis_engine.put(name, old)
    with pytest.raises(InvalidToken):
        join().verify(token)


@pytest.mark.parametrize(
    "told",
    [
        {"asked_at": NOW + 60, "claims": {"sub": "ada", "token_type": "Bearer"}},
        {"asked_at": NOW - 31, "claims": {"sub": "ada", "token_type": "Bearer"}},
        {"asked_at": "now", "claims": {"sub": "ada"}},
        {"asked_at": NOW, "claims": ["ada"]},
        {"asked_at": NOW},
        {"claims": {"sub": "ada"}},
        ["ada"],
    ],
    ids=str,
)
def test_what_the_fleet_sealed_is_judged_by_what_stands_inside(
    issuer: Issuer, join: Join, redis_engine: Engine, prefix: str, told: Any
) -> None:
    with pytest.raises(InvalidToken):
        join().verify("a-token-of-nobody")
    name, _ = redis_engine.stored(f"{prefix}:i:*")
    redis_engine.put(name, sealed(SECRET, name.decode(), 1, json.dumps(told).encode(), bytes(12)))
    with pytest.raises(InvalidToken) as refused:
        join().verify("a-token-of-nobody")
    assert refused.value.reason == "inactive", "the issuer was asked"


def test_what_is_answered_at_one_address_is_not_believed_of_another(issuer: Issuer, join: Join) -> None:
    """Who asks elsewhere, as another client or for signed answers may be told something else."""
    token = issuer.opaque_token("ada")
    join().verify(token)
    join(introspection_url=issuer.introspection_endpoint).verify(token)
    assert asked(issuer) == 2


def test_a_fleet_on_each_kind_of_engine(two_stores: tuple[RedisStore, RedisStore], issuer: Issuer) -> None:
    token = issuer.opaque_token("ada")
    for store in two_stores:
        provider = issuer.provider(introspection=True, keys=issuer.jwks())
        server = ResourceServer(provider, store=store, clock=issuer.clock)
        assert server.verify(token).subject == "ada"
        server.close()
    assert asked(issuer) == 1
