"""Revocations by a real engine: several servers, as processes have them, and a store that fails at will.

Every server has its own `RedisStore`, thread and list, as another process has; what they share is the engine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
import redis
import redis.asyncio
import redis.cluster
import valkey

from bearerguard import (
    ConfigurationError,
    InvalidToken,
    ProviderUnavailable,
    ResourceServer,
    Revocation,
    SecurityWarning,
)
from bearerguard._flows.effects import StoreFailed
from bearerguard._io.followed_revocations import FollowedRevocations
from bearerguard.stores.redis import RedisStore
from bearerguard.testing import Issuer
from tests.stores.engines import PATIENCE, Cluster, Engine, Sentinels, until

ISSUER = Issuer("https://login.example", algorithm="ES256")
SECRET = "a secret of thirty-two characters"
Fleet = Callable[..., ResourceServer]


@pytest.fixture
def fleet(prefix: str) -> Iterator[Fleet]:
    """Makes servers as one process each has them, which share a prefix."""
    made: list[ResourceServer] = []
    stores: list[RedisStore] = []

    def process(url: str | None = None, secret: str | None = SECRET, **options: Any) -> ResourceServer:
        of_store = {
            name: options.pop(name) for name in ("client", "async_client", "timeout") if name in options
        }
        of_store.setdefault(
            "timeout", 10
        )  # seconds, as a busy machine may take longer than the usual quarter
        store = RedisStore(url, secret=secret, prefix=prefix, **of_store)
        provider = ISSUER.provider(keys=ISSUER.jwks())
        server = ResourceServer(provider, store=store, revocation=Revocation(**options))
        made.append(server)
        stores.append(store)
        return server

    yield process
    for server in made:
        server.close()
    for store in stores:
        store.close()


def reason(server: ResourceServer, token: str) -> str | None:
    try:
        server.verify(token)
    except (InvalidToken, ProviderUnavailable) as error:
        return error.reason
    return None


def becomes(expected: str | None, server: ResourceServer, token: str) -> float:
    """Wait until a token is refused for a reason, or accepted; return how long that took."""
    begun = time.monotonic()
    while reason(server, token) != expected:
        assert time.monotonic() < begun + PATIENCE, f"it did not become {expected}"
        time.sleep(0.01)
    return time.monotonic() - begun


def followed(server: ResourceServer) -> FollowedRevocations:
    kept = server._revocations
    assert isinstance(kept, FollowedRevocations)
    return kept


# -- over every engine -------------------------------------------------------------------------------


@pytest.fixture(params=["redis", "valkey", "valkey-py", "sentinel", "cluster", "decoded"])
def processes(request: pytest.FixtureRequest, fleet: Fleet) -> Iterator[Callable[..., ResourceServer]]:
    """A way to one more process of a fleet, at each kind of engine and by each kind of client."""
    clients: list[Any] = []

    def process(**options: Any) -> ResourceServer:
        kind = request.param
        if kind == "redis":
            return fleet(request.getfixturevalue("redis_engine").url, **options)
        if kind == "valkey":
            return fleet(request.getfixturevalue("valkey_engine").url, **options)
        if kind == "valkey-py":
            clients.append(valkey.Valkey(port=request.getfixturevalue("valkey_engine").port))
        elif kind == "decoded":
            engine: Engine = request.getfixturevalue("redis_engine")
            clients.append(engine.client(decode_responses=True))
        elif kind == "sentinel":
            sentinels: Sentinels = request.getfixturevalue("sentinels")
            clients.append(sentinels.sentinel().master_for("fleet"))
        else:
            cluster: Cluster = request.getfixturevalue("cluster")
            clients.append(redis.cluster.RedisCluster(host="127.0.0.1", port=cluster.nodes[0].port))
        return fleet(client=clients[-1], **options)

    yield process
    for client in clients:
        client.close()


def test_a_revocation_in_one_process_is_refused_in_all(processes: Callable[..., ResourceServer]) -> None:
    one, other = processes(), processes()
    token, stays = ISSUER.token("ada", jti="j1"), ISSUER.token("bob")
    assert reason(one, token) is reason(other, token) is None
    one.revoke(token)
    assert reason(one, token) == "revoked"
    took = becomes("revoked", other, token)
    print(f"\na revocation was heard after {took:.2f} s")  # noqa: T201 - the figure is told, and nothing hangs on it
    assert reason(other, stays) is None


def test_a_process_that_starts_later_reads_the_whole_history_first(
    processes: Callable[..., ResourceServer],
) -> None:
    one = processes()
    token = ISSUER.token("ada")
    for number in range(50):
        one.revoke(subject=f"user-{number}")
    one.revoke(subject="ada")
    assert becomes("revoked", processes(), token) < PATIENCE


def test_strict_hears_of_a_revocation_with_the_next_request(processes: Callable[..., ResourceServer]) -> None:
    one, strict = processes(), processes(strict=True)
    token = ISSUER.token("ada")
    assert reason(strict, token) is None
    one.revoke(token)
    assert reason(strict, token) == "revoked"


def test_a_logout_token_is_good_once_in_the_whole_fleet(processes: Callable[..., ResourceServer]) -> None:
    one, other = processes(), processes()
    told = ISSUER.logout_token("ada", client_id="web")
    one.log_out(told, client_id="web").wait()
    with pytest.raises(InvalidToken) as refused:
        other.log_out(told, client_id="web").wait()
    assert refused.value.reason == "logout_replayed"
    becomes("revoked", other, ISSUER.token("ada", iat=int(time.time()) - 60))


@pytest.mark.anyio
async def test_tasks_of_either_event_loop_hear_and_revoke(redis_engine: Engine, fleet: Fleet) -> None:
    one, other = fleet(redis_engine.url), fleet(redis_engine.url)
    token = ISSUER.token("ada")
    assert (await other.averify(token)).subject == "ada"
    await one.arevoke(token)
    with anyio.fail_after(PATIENCE):
        while await areason(other, token) != "revoked":  # noqa: ASYNC110 - another process says so
            await anyio.sleep(0.02)


async def areason(server: ResourceServer, token: str) -> str | None:
    try:
        await server.averify(token)
    except (InvalidToken, ProviderUnavailable) as error:
        return error.reason
    return None


# -- what stands in the store ------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [SECRET, None])
def test_nothing_in_the_store_shows_whom_it_names(
    redis_engine: Engine, fleet: Fleet, prefix: str, secret: str | None
) -> None:
    server = fleet(redis_engine.url, secret)
    token = ISSUER.token("ada-lovelace", jti="the-identifier", sid="the-session", client_id="the-client")
    server.revoke(token)
    server.revoke(subject="ada-lovelace")
    server.revoke(session="the-session")
    server.revoke(client="the-client")
    server.log_out(
        ISSUER.logout_token("ada-lovelace", client_id="web", jti="the-logout"), client_id="web"
    ).wait()
    with redis_engine.client() as client:
        names = list(client.scan_iter(f"{prefix}*"))
        said = repr(names) + repr(client.xrange(f"{prefix}:r"))
    assert len(names) == 2
    for secretive in ("ada", "identifier", "session", "client", "logout", "login.example", token[-20:]):
        assert secretive not in said


def test_with_another_secret_a_subject_has_another_name(redis_engine: Engine, fleet: Fleet) -> None:
    one, other = fleet(redis_engine.url), fleet(redis_engine.url, SECRET * 2)
    assert reason(other, ISSUER.token("ada")) is None
    one.revoke(subject="ada")
    followed(other).read_once()
    assert reason(other, ISSUER.token("ada", iat=int(time.time()) - 60)) is None


@pytest.mark.parametrize("decodes", [False, True])
def test_who_can_write_the_store_cannot_take_a_revocation_back_or_stop_others_from_being_heard(
    redis_engine: Engine, fleet: Fleet, prefix: str, caplog: pytest.LogCaptureFixture, decodes: bool
) -> None:
    own = redis_engine.client(decode_responses=decodes)
    one, other = fleet(redis_engine.url), fleet(client=own)
    token, second = ISSUER.token("ada"), ISSUER.token("bob")
    assert reason(other, token) is reason(other, second) is None
    one.revoke(token)
    becomes("revoked", other, token)
    with redis_engine.client() as client:
        [(_, fields)] = client.xrange(f"{prefix}:r")
        client.xadd(f"{prefix}:r", {**fields, b"t": b"1"})  # the same name, long ago
        for forged in (
            {"x": "y"},
            {"n": "zz", "t": "1"},
            {"n": "ab" * 16, "t": "-5"},
            {"n": "ab" * 16, "t": "9" * 16},
            {"n": "ab" * 16, "t": str(int(time.time()) + 10_000)},
            {"n": b"\xff" * 32, "t": "1"},
        ):
            client.xadd(f"{prefix}:r", forged)
    one.revoke(second)
    becomes("revoked", other, second)
    assert reason(other, token) == "revoked"
    assert followed(other).skipped == 6
    until(lambda: "skipped" in caplog.text, "the thread that follows has logged it")
    other.close()
    own.close()


def test_an_emptied_store_takes_nothing_back_and_is_followed_on(
    redis_engine: Engine, fleet: Fleet, prefix: str
) -> None:
    one, other = fleet(redis_engine.url), fleet(redis_engine.url)
    token, second = ISSUER.token("ada"), ISSUER.token("bob")
    one.revoke(token)
    becomes("revoked", other, token)
    with redis_engine.client() as client:
        client.delete(f"{prefix}:r")
    followed(other).read_once()
    assert reason(other, token) == "revoked"
    one.revoke(second)
    becomes("revoked", other, second)


def test_the_stream_is_trimmed_by_the_horizon(redis_engine: Engine, fleet: Fleet, prefix: str) -> None:
    server = fleet(redis_engine.url, horizon=60)
    with redis_engine.client() as client:
        for number in range(1, 500):  # from 1970
            client.xadd(f"{prefix}:r", {"n": "ab" * 16, "t": "1"}, id=f"{number}-1")
        server.revoke(subject="ada")
        assert client.xlen(f"{prefix}:r") < 200, "whole nodes of the stream are dropped at a time"


def test_commands_are_those_of_least_privilege(own_engine: Engine, fleet: Fleet, prefix: str) -> None:
    with own_engine.client() as client:
        allowed = ["+xadd", "+xrange", "+xtrim", "+set"]
        client.acl_setuser("api", enabled=True, passwords=["+secret"], commands=allowed, keys=[f"{prefix}:*"])
    server = fleet(own_engine.url.replace("//", "//api:secret@"))
    token = ISSUER.token("ada")
    assert reason(server, token) is None
    server.log_out(ISSUER.logout_token("ada", client_id="web"), client_id="web").wait()
    server.revoke(token)
    assert reason(server, token) == "revoked"


# -- trouble -----------------------------------------------------------------------------------------


def test_a_process_that_has_never_heard_the_store_lets_nobody_in(own_engine: Engine, fleet: Fleet) -> None:
    own_engine.stop()
    server, token = fleet(own_engine.url), ISSUER.token("ada")
    with pytest.raises(ProviderUnavailable) as refused:
        server.verify(token)
    assert (refused.value.status, refused.value.reason) == (503, "revocation_store")
    assert refused.value.retry_after
    own_engine.start()
    becomes(None, server, token)


@pytest.mark.parametrize("trouble", ["killed", "frozen"])
def test_while_the_store_is_away_requests_are_served_for_max_lag_and_then_503(
    own_engine: Engine, fleet: Fleet, trouble: str
) -> None:
    # Each command to an engine that is frozen takes as long as it may.
    server = fleet(own_engine.url, max_lag=1, timeout=10 if trouble == "killed" else 2)
    token, gone = ISSUER.token("ada"), ISSUER.token("bob")
    server.revoke(gone)
    assert reason(server, token) is None
    if trouble == "killed":
        own_engine.stop()
    else:
        own_engine.freeze()
    becomes("revocation_store", server, token)
    with pytest.raises(ProviderUnavailable, match="not in force"):
        server.revoke(ISSUER.token("eve"))  # an engine that is thawed may note it all the same
    if trouble == "killed":
        own_engine.start()
    else:
        own_engine.thaw()
    becomes(None, server, token)
    assert reason(server, gone) == "revoked", "an empty store takes nothing back"


def test_a_process_is_ready_while_it_hears_the_store_and_for_max_lag(
    own_engine: Engine, fleet: Fleet
) -> None:
    own_engine.stop()
    server = fleet(own_engine.url, max_lag=1)
    with pytest.warns(SecurityWarning):
        open_to_all = fleet(own_engine.url, dangerously_accept_unheard_revocations=True)
    assert not server.ready()
    assert open_to_all.ready(), "it answers all the same"
    own_engine.start()
    until(server.ready, "ready")
    own_engine.stop()
    until(lambda: not server.ready(), "not ready")
    own_engine.start()
    until(server.ready, "ready again")


def test_what_is_revoked_while_one_process_is_cut_off_is_heard_when_it_is_back(
    own_engine: Engine, fleet: Fleet
) -> None:
    one, other = fleet(own_engine.url), fleet(own_engine.url)
    token = ISSUER.token("ada")
    assert reason(other, token) is None
    cut = threading.Event()

    def fails(_: Any) -> Any:
        cut.set()
        raise StoreFailed("connection", "cut")

    followed(other)._log.read = fails  # type: ignore[method-assign]  # the network of one process
    assert cut.wait(PATIENCE), "a read that began before is over"
    one.revoke(token)
    followed(other).read_once()
    assert reason(other, token) is None
    del followed(other)._log.read
    becomes("revoked", other, token)


def test_a_store_that_is_full_takes_no_revocation_and_says_so(own_engine: Engine, fleet: Fleet) -> None:
    server = fleet(own_engine.url)
    with own_engine.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(ProviderUnavailable, match="not in force"):
            server.revoke(subject="ada")
        client.config_set("maxmemory", "0")
    server.revoke(subject="ada")


def test_a_failover_loses_nothing_that_was_heard_and_goes_on(tmp_path: Any, fleet: Fleet) -> None:
    sentinels = Sentinels(tmp_path)
    master = sentinels.sentinel().master_for("fleet")
    try:
        one, other = fleet(client=master), fleet(client=master)
        token, second = ISSUER.token("ada"), ISSUER.token("bob")
        one.revoke(token)
        becomes("revoked", other, token)
        sentinels.failover()
        assert reason(other, token) in {"revoked", "revocation_store"}
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                one.revoke(second)
                break
            except ProviderUnavailable:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        becomes("revoked", other, second)
        assert reason(other, token) == "revoked"
    finally:
        master.close()
        sentinels.stop()


def test_a_store_with_only_an_async_client_cannot_be_followed(redis_engine: Engine, fleet: Fleet) -> None:
    with pytest.raises(ConfigurationError, match="client= as well, or a URL"):
        fleet(async_client=redis.asyncio.Redis(port=redis_engine.port))
