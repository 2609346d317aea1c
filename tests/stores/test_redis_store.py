"""What a `RedisStore` is given: what it takes, and what it says where it cannot be used."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
import valkey
import valkey.asyncio

from bearerguard import ConfigurationError, ResourceServer
from bearerguard._flows.effects import ReplayKey, StoreFailed
from bearerguard.stores.redis import RedisStore
from bearerguard.testing import Issuer
from tests.certificates import Authority
from tests.stores.engines import Engine, free_port, redis_server, until

SECRET = "a secret of a fleet, 32 bytes up"
URL = "redis://127.0.0.1:1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "does not know where the engine is"),
        ({"url": URL, "client": redis.Redis()}, "a URL and a client"),
        ({"url": URL, "async_client": redis.asyncio.Redis()}, "a URL and a client"),
        ({"url": "http://cache.internal"}, "write 'rediss://"),
        ({"url": "cache.internal:6379"}, "write 'rediss://"),
        ({"url": b"redis://cache.internal"}, "write 'rediss://"),
        ({"client": "redis://cache.internal"}, "client is a str"),
        ({"client": redis.asyncio.Redis()}, "give it as async_client="),
        ({"client": valkey.asyncio.Valkey()}, "give it as async_client="),
        ({"async_client": redis.Redis()}, "give it as client="),
        ({"async_client": valkey.Valkey()}, "give it as client="),
        ({"url": URL, "secret": "short"}, "32 or more"),
        ({"url": URL, "secret": 32}, "secret is a int"),
        ({"url": URL, "prefix": ""}, "prefix is ''"),
        ({"url": URL, "prefix": "a b"}, "prefix is 'a b'"),
        ({"url": URL, "prefix": "a:b"}, "prefix is 'a:b'"),
        ({"url": URL, "prefix": "{slot}"}, "prefix is"),
        ({"url": URL, "prefix": b"orders"}, "prefix is"),
        ({"url": URL, "timeout": 0}, "timeout is 0"),
        ({"url": URL, "timeout": 11}, "timeout is 11"),
        ({"url": URL, "timeout": True}, "timeout is True"),
        ({"url": URL, "timeout": "1"}, "timeout is '1'"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_refused_when_it_is_built(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        RedisStore(**arguments)


def test_it_shows_neither_password_nor_secret() -> None:
    store = RedisStore("redis://user:password-of-the-engine@127.0.0.1:1", secret=SECRET)
    assert repr(store) == "RedisStore(prefix='bearerguard', timeout=0.25)"


def test_anything_else_is_not_a_store() -> None:
    issuer = Issuer(algorithm="Ed25519")
    provider = issuer.provider(keys=issuer.jwks())
    other: Any = redis.Redis()
    with pytest.raises(ConfigurationError, match=r"give RedisStore\(...\)"):
        ResourceServer(provider, store=other)


def test_what_the_url_says_of_deadlines_does_not_count() -> None:
    store = RedisStore(f"{URL}?socket_timeout=60&socket_connect_timeout=60&max_connections=3")
    options = store._clients.lend().connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.25, 0.25)


def test_a_socket_of_the_machine_will_do(tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "s"
    engine = Engine(redis_server(), tmp_path / "engine", ("--unixsocket", str(path))).start()
    until(path.exists, "the socket is there")
    store = RedisStore(f"unix://{path}", prefix=prefix, timeout=10)
    assert store.commands.run(lambda client: client.set(f"{prefix}:a", b"1")) is True
    store.close()
    engine.stop()


def test_tls_is_checked_against_the_authorities_that_are_named(tmp_path: Path, prefix: str) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        Authority(tmp_path / name).issue("server")
    port, ours = free_port(), tmp_path / "ours"
    options = (
        *("--tls-port", str(port), "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(ours / "server.pem"), "--tls-key-file", str(ours / "server.key")),
        *("--tls-ca-cert-file", str(ours / "authority.pem")),
    )
    engine = Engine(redis_server(), tmp_path / "engine", options).start()
    url = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={tmp_path}"
    trusting = RedisStore(f"{url}/ours/authority.pem", prefix=prefix, timeout=10)
    assert trusting.commands.run(lambda client: client.set(f"{prefix}:a", b"1")) is True
    first, is_new = trusting.commands.run(lambda client: client.client_id()), True
    assert asyncio.run(trusting.commands.arun(lambda client: client.get(f"{prefix}:a"))) == b"1"
    for _ in range(3):  # over one connection: the tickets of the session do not count as something unasked
        assert trusting.commands.run(lambda client: client.client_id()) == first
        proof = ReplayKey("thumbprint", bytes(32))
        assert trusting.replays.ask(proof, 60.0) is is_new
        is_new = False
    wary = RedisStore(f"{url}/theirs/authority.pem", prefix=prefix, timeout=10)
    with pytest.raises(StoreFailed):
        wary.commands.run(lambda client: client.get(f"{prefix}:a"))
    trusting.close()
    engine.stop()
