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
from bearerguard._flows.effects import Cause
from bearerguard._io.remote_keys import RemoteKeySource
from bearerguard._limits import MAX_PATIENT_THREADS, SIGNATURE_COOLDOWN
from bearerguard.testing import signing_key
from tests.faults.fault_server import held, respond
from tests.faults.scripted_provider import LONG, ScriptedProvider, auntil, health, in_time, until, verify

COLOURS = ["sync", "asyncio", "trio"]
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
    """Nobody can tell whether the key exists by now; that is not a verdict about the token."""
    server = provider.server()
    server.warm_up()
    provider.answer(respond(b"", status=500))
    for _ in range(3):
        with pytest.raises(ProviderUnavailable) as caught:
            server.verify(junk(provider))
        assert caught.value.retry_after == COOLDOWN
        assert server.verify(provider.token()).subject == "user-1"
    assert provider.fetches == 2


def source_of(server: ResourceServer) -> RemoteKeySource:
    source = server._keys[server.providers[0].name]
    assert isinstance(source, RemoteKeySource)
    return source


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_flood_of_a_thousand_tasks_delays_no_valid_token_though_the_provider_stalls(
    provider: ScriptedProvider, loop: str
) -> None:
    server, gate = provider.server(), threading.Event()
    source_of(server).patience = LONG  # a busy machine takes longer over a thousand than a request would wait
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

    in_time(lambda: anyio.run(flood, 1000, backend=loop))
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


def unavailable(server: ResourceServer, token: str, colour: str = "sync") -> float:
    """The seconds after which a request is told to come back."""
    with pytest.raises(ProviderUnavailable) as caught:
        verify(server, token, colour)
    return caught.value.retry_after


def test_no_more_than_two_threads_wait_for_a_key_that_nobody_knows(provider: ScriptedProvider) -> None:
    server, gate = provider.server(), threading.Event()
    source_of(server).patience = LONG
    server.warm_up()
    provider.answer(held(gate, respond(provider.issuer.jwks())))
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(refused, server, junk(provider)) for _ in range(2)]
        until(lambda: not source_of(server)._places._value, "two that wait")
        # Whoever finds no place is told to come back: whether the key exists, nobody can tell yet.
        for _ in range(20):
            assert unavailable(server, junk(provider)) == 1
        # One with a known key is not behind them.
        assert server.verify(provider.token()).subject == "user-1"
        assert [future.done() for future in waiting] == [False, False]
        gate.set()
        assert [future.result(LONG) for future in waiting] == ["unknown_key"] * 2
    assert provider.fetches == 2


@pytest.mark.parametrize("colour", COLOURS)
def test_a_provider_that_says_nothing_is_waited_for_shortly(provider: ScriptedProvider, colour: str) -> None:
    server, gate = provider.server(), threading.Event()
    source_of(server).patience = 0.01
    server.warm_up()
    provider.answer(held(gate, respond(provider.issuer.jwks())))
    for _ in range(3):
        assert unavailable(server, junk(provider), colour) == 1
        assert server.verify(provider.token()).subject == "user-1"
    assert source_of(server)._places._value == MAX_PATIENT_THREADS
    until(lambda: provider.fetches == 2, "the question, which may arrive later than the patience lasts")
    gate.set()
    until(lambda: source_of(server)._flight is None, "the end of the refresh")
    # The question was answered; within the cooldown the answer is known.
    assert refused(server, junk(provider), colour) == "unknown_key"
    assert provider.fetches == 2


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_task_that_is_cancelled_while_it_waits_leaves_the_refresh_alone(
    provider: ScriptedProvider, loop: str
) -> None:
    server, gate = provider.server(), threading.Event()
    source_of(server).patience = LONG
    server.warm_up()
    provider.issuer.rotate()
    provider.answer(held(gate, respond(provider.issuer.jwks())))

    async def impatient() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(server.averify, provider.token())
            await auntil(lambda: provider.fetches == 2)
            group.cancel_scope.cancel()

    in_time(lambda: anyio.run(impatient, backend=loop))
    gate.set()
    until(lambda: source_of(server)._flight is None, "the end of the refresh")
    assert server.verify(provider.token()).subject == "user-1"
    assert provider.fetches == 2


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


def test_forged_tokens_under_a_known_kid_cost_one_fetch_in_five_minutes(provider: ScriptedProvider) -> None:
    """The key may have been replaced under its old name, but nobody asks for it at an attacker's rate."""
    server = provider.server()
    server.warm_up()
    for fetches in (2, 3):
        for _ in range(100):
            assert refused(server, provider.issuer.forged()) == "signature"
        assert provider.fetches == fetches
        provider.clock.advance(299)
        assert refused(server, provider.issuer.forged()) == "signature"
        assert provider.fetches == fetches
        provider.clock.advance(2)


def test_a_new_key_under_the_old_kid_is_found(provider: ScriptedProvider) -> None:
    server = provider.server()
    server.warm_up()
    kid = provider.issuer.signing_key.kid
    provider.issuer.rotate()
    provider.answer(respond({"keys": [{**key, "kid": kid} for key in provider.issuer.jwks()["keys"][:1]]}))
    token = provider.token(header={"kid": kid})
    assert verify(server, token).subject == "user-1"


# -- a signature that does not verify under a known kid


@pytest.mark.parametrize("colour", COLOURS)
def test_the_source_is_asked_for_keys_that_were_replaced_under_their_kid_once_in_five_minutes(
    provider: ScriptedProvider, colour: str
) -> None:
    server = provider.server()
    server.warm_up()
    for fetches in (2, 3):
        for _ in range(5):
            assert waited(server, "signature", colour) is None
            provider.clock.advance(SIGNATURE_COOLDOWN / 5)
        assert provider.fetches == fetches


def waited(server: ResourceServer, cause: Cause, colour: str = "sync") -> float | None:
    """What a source answers to whoever waits for keys."""
    source = source_of(server)
    if colour == "sync":
        return in_time(lambda: source.wait(cause))
    return in_time(lambda: anyio.run(source.wait_async, cause, backend=colour))


def test_bad_signatures_and_unknown_kids_neither_use_nor_start_the_cooldown_of_the_other(
    provider: ScriptedProvider,
) -> None:
    server = provider.server()
    server.warm_up()
    waited(server, "signature")
    assert provider.fetches == 2
    waited(server, "unknown_kid")
    assert provider.fetches == 3
    waited(server, "unknown_kid")
    waited(server, "signature")
    assert provider.fetches == 3
    provider.clock.advance(COOLDOWN)
    waited(server, "signature")
    assert provider.fetches == 3
    waited(server, "unknown_kid")
    assert provider.fetches == 4


def test_a_refresh_for_a_bad_signature_that_fails_puts_no_request_off(provider: ScriptedProvider) -> None:
    server = provider.server()
    server.warm_up()
    provider.answer(respond(b"", status=500))
    waited(server, "signature")
    provider.issuer.rotate()
    provider.publish()
    assert server.verify(provider.token()).subject == "user-1"


def test_forged_tokens_hold_no_more_threads_than_unknown_kids_do(provider: ScriptedProvider) -> None:
    server, gate = provider.server(), threading.Event()
    source_of(server).patience = 0.01
    server.warm_up()
    provider.answer(held(gate, respond(provider.issuer.jwks())))
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(source_of(server).wait, "signature") for _ in range(8)]
        assert {future.result(LONG) for future in asked} == {1.0}
    until(lambda: provider.fetches == 2, "the question, which may arrive later than the patience lasts")
    gate.set()
    until(lambda: source_of(server)._flight is None, "the end of the refresh")
    assert provider.fetches == 2


def test_valid_and_junk_tokens_of_many_threads_go_together(provider: ScriptedProvider) -> None:
    server = provider.server()
    server.warm_up()

    def mixed() -> int:
        passed = 0
        for number in range(100):
            if number % 2:
                passed += server.verify(provider.token()).subject == "user-1"
            else:
                # 503 where two others wait already.
                with pytest.raises((InvalidToken, ProviderUnavailable)):
                    server.verify(junk(provider))
        return passed

    with ThreadPoolExecutor(8) as threads:
        assert [future.result(LONG) for future in [threads.submit(mixed) for _ in range(8)]] == [50] * 8
    assert provider.fetches == 2
