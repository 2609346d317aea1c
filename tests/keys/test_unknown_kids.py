"""A `kid` that nobody has costs one fetch a cooldown, delays nobody else, and leaves nothing in memory."""

from __future__ import annotations

import gc
import secrets
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from bearerguard import InvalidToken, ProviderUnavailable, ResourceServer
from bearerguard.testing import signing_key
from tests.faults.fault_server import held, respond
from tests.faults.scripted_provider import LONG, ScriptedProvider, auntil, health, in_time, until, verify

COOLDOWN = 30.0
STRANGER = signing_key("Ed25519")


def junk(provider: ScriptedProvider) -> str:
    """A token under a key that the provider never had."""
    return provider.token(key=STRANGER, header={"kid": secrets.token_hex(16)})


def refused(server: ResourceServer, token: str, colour: str = "sync") -> str:
    with pytest.raises(InvalidToken) as caught:
        verify(server, token, colour)
    return caught.value.reason


@pytest.mark.parametrize("colour", ["sync", "asyncio", "trio"])
def test_an_unknown_kid_costs_one_fetch_a_cooldown(provider: ScriptedProvider, colour: str) -> None:
    server = provider.server()
    server.warm_up()
    for fetches in (2, 3, 4):
        for _ in range(5):
            assert refused(server, junk(provider), colour) == "unknown_key"
            provider.clock.advance(COOLDOWN / 5)
        assert provider.fetches == fetches


def test_the_fetch_that_a_cold_request_waited_for_is_the_only_one(provider: ScriptedProvider) -> None:
    server = provider.server()
    assert refused(server, junk(provider)) == "unknown_key"
    assert provider.fetches == 1
    # That was a first fetch, not one that an unknown kid caused: the next may cause one.
    assert refused(server, junk(provider)) == "unknown_key"
    assert provider.fetches == 2


def test_a_rotation_right_after_a_scheduled_refresh_is_seen_at_once(provider: ScriptedProvider) -> None:
    server = provider.server()
    server.warm_up()
    provider.clock.advance(599)
    server.verify(provider.token())
    until(lambda: health(server)["age"] == 0)
    provider.issuer.rotate()
    provider.publish()
    assert server.verify(provider.token()).subject == "user-1"


def test_junk_may_hide_a_rotation_for_one_cooldown_and_no_longer(provider: ScriptedProvider) -> None:
    """The price of the cooldown, for a provider that does not publish its keys ahead of use."""
    server = provider.server()
    server.warm_up()
    refused(server, junk(provider))
    provider.issuer.rotate()
    provider.publish()
    assert refused(server, provider.token()) == "unknown_key"
    provider.clock.advance(COOLDOWN)
    assert server.verify(provider.token()).subject == "user-1"


def test_while_the_provider_is_down_an_unknown_kid_is_a_503_and_a_known_one_passes(
    provider: ScriptedProvider,
) -> None:
    """Nobody can tell whether the key exists by now; that is no verdict about the token."""
    server = provider.server()
    server.warm_up()
    provider.answer(respond(b"", status=500))
    for _ in range(3):
        with pytest.raises(ProviderUnavailable) as caught:
            server.verify(junk(provider))
        assert caught.value.retry_after == COOLDOWN
        assert server.verify(provider.token()).subject == "user-1"
    assert provider.fetches == 2


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_flood_of_a_thousand_delays_no_valid_token_though_the_provider_stalls(
    provider: ScriptedProvider, loop: str
) -> None:
    server, gate = provider.server(), threading.Event()
    server.warm_up()
    provider.answer(held(gate, respond(provider.issuer.jwks())))
    reasons: list[str] = []

    async def flood(count: int) -> None:
        async def one() -> None:
            with pytest.raises(InvalidToken) as caught:
                await server.averify(junk(provider))
            reasons.append(caught.value.reason)

        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(one)
            await auntil(lambda: provider.fetches == 2)
            # All of them wait on the one fetch; nobody else does.
            for _ in range(50):
                assert (await server.averify(provider.token())).subject == "user-1"
            assert not reasons
            gate.set()

    def one_in_a_thread() -> None:
        reasons.append(refused(server, junk(provider)))

    with ThreadPoolExecutor(20) as threads:
        for _ in range(20):
            threads.submit(one_in_a_thread)
        in_time(lambda: anyio.run(flood, 980, backend=loop))
    assert reasons == ["unknown_key"] * 1000
    assert provider.fetches == 2
    # Within the cooldown: an answer at once, and no fetch.
    for _ in range(1000):
        with pytest.raises(InvalidToken):
            server.verify(junk(provider))
    assert provider.fetches == 2
    provider.clock.advance(COOLDOWN)
    refused(server, junk(provider))
    assert provider.fetches == 3


def test_a_flood_leaves_nothing_in_memory(provider: ScriptedProvider) -> None:
    server = provider.server()
    server.warm_up()

    def flood(count: int) -> None:
        for _ in range(count):
            try:
                server.verify(junk(provider))
            except InvalidToken:
                continue
            raise AssertionError("it was accepted")

    flood(1500)  # fills what is bounded
    tracemalloc.start()
    try:
        flood(1500)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        flood(3000)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Three thousand tokens have some 1,5 MB; what is left varies with how full the bounded caches are.
    assert after - before < 200_000


def test_a_forged_token_under_a_known_kid_costs_no_fetch(provider: ScriptedProvider) -> None:
    server = provider.server()
    server.warm_up()
    for _ in range(100):
        assert refused(server, provider.issuer.forged()) == "signature"
    assert provider.fetches == 1


def test_valid_and_junk_tokens_of_many_threads_go_together(provider: ScriptedProvider) -> None:
    server = provider.server()
    server.warm_up()

    def mixed() -> int:
        passed = 0
        for number in range(100):
            if number % 2:
                passed += server.verify(provider.token()).subject == "user-1"
            else:
                with pytest.raises(InvalidToken):
                    server.verify(junk(provider))
        return passed

    with ThreadPoolExecutor(8) as threads:
        assert [future.result(LONG) for future in [threads.submit(mixed) for _ in range(8)]] == [50] * 8
    assert provider.fetches == 2
