"""The store of proofs in memory: each once, for its time, within its bounds, whoever asks at once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bearerguard import ProviderUnavailable, TooManyProofs
from bearerguard._limits import FORGOTTEN_AT_ONCE
from bearerguard.stores import MemoryReplayStore, ReplayKey, ReplayStore

MANY = 64


class Moving:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def key(number: int, thumbprint: str = "a") -> ReplayKey:
    return ReplayKey(thumbprint, number.to_bytes(32, "big"))


def test_it_is_a_replay_store() -> None:
    store: ReplayStore = MemoryReplayStore(Moving())
    assert store.add(key(1), 60)


def test_a_proof_is_noted_once_for_its_time() -> None:
    clock = Moving()
    store = MemoryReplayStore(clock)
    assert not store.seen(key(1))
    assert store.add(key(1), 61)
    for later in (0, 30, 60.999):
        clock.now = 1_700_000_000 + later
        assert store.seen(key(1))
        assert not store.add(key(1), 61)
    clock.now = 1_700_000_061
    assert not store.seen(key(1))
    assert store.add(key(1), 61)
    assert len(store) == 1


def test_what_is_looked_for_is_not_noted() -> None:
    store = MemoryReplayStore(Moving())
    assert not store.seen(key(1))
    assert store.add(key(1), 60)


def test_proofs_that_have_ended_are_forgotten_a_few_for_each_that_comes() -> None:
    clock = Moving()
    store = MemoryReplayStore(clock, max_proofs=1000)
    for number in range(400):
        store.add(key(number, str(number % 7)), 10 + number % 3)
    clock.now += 13
    store.add(key(1000), 60)
    assert len(store) == 400 - FORGOTTEN_AT_ONCE + 1
    for number in range(1001, 1030):
        store.add(key(number), 60)
    assert len(store) == 30
    assert store._of_key == {"a": 30}
    assert len(store._ending) == 1


def test_a_full_memory_refuses_and_forgets_nothing_early() -> None:
    clock = Moving()
    store = MemoryReplayStore(clock, max_proofs=10)
    for number in range(10):
        store.add(key(number, str(number)), 60)
    clock.now += 20
    with pytest.raises(ProviderUnavailable) as refused:
        store.add(key(10, "10"), 60)
    assert (refused.value.status, refused.value.reason, refused.value.retry_after) == (
        503,
        "replay_store",
        40,
    )
    assert all(store.seen(key(number, str(number))) for number in range(10))
    clock.now += 40
    assert store.add(key(10, "10"), 60)


def test_a_proof_that_is_there_is_a_replay_and_not_one_too_many() -> None:
    store = MemoryReplayStore(Moving(), max_proofs=1)
    store.add(key(1), 60)
    assert not store.add(key(1), 60)


def test_one_key_cannot_fill_the_part_of_another() -> None:
    clock = Moving()
    store = MemoryReplayStore(clock, max_proofs=10, max_proofs_of_a_key=4)
    for number in range(4):
        store.add(key(number, "a"), 60 + number)
    with pytest.raises(TooManyProofs) as refused:
        store.add(key(4, "a"), 60)
    assert (refused.value.status, refused.value.retry_after) == (429, 60)
    assert store.add(key(5, "b"), 60)
    clock.now += 60
    assert store.add(key(4, "a"), 60)


def test_a_full_memory_makes_room_by_all_that_has_ended_at_once() -> None:
    clock = Moving()
    store = MemoryReplayStore(clock, max_proofs=100, max_proofs_of_a_key=100)
    for number in range(100):
        store.add(key(number), 10)
    clock.now += 10
    assert store.add(key(200), 60)
    assert len(store) <= 100
    with_quota = MemoryReplayStore(clock, max_proofs_of_a_key=50)
    for number in range(50):
        with_quota.add(key(number), 10)
    clock.now += 10
    assert with_quota.add(key(200), 60)
    assert len(with_quota) == 50 - FORGOTTEN_AT_ONCE + 1


def test_of_64_threads_that_note_one_proof_at_once_one_is_the_first() -> None:
    store = MemoryReplayStore(Moving())
    for number in range(20):
        start = threading.Barrier(MANY)

        def note(start: threading.Barrier = start, number: int = number) -> bool:
            start.wait(60)
            return store.add(key(number), 60)

        with ThreadPoolExecutor(MANY) as threads:
            outcomes = [future.result() for future in [threads.submit(note) for _ in range(MANY)]]
        assert sum(outcomes) == 1


def test_of_64_tasks_that_note_one_proof_at_once_one_is_the_first() -> None:
    store = MemoryReplayStore(Moving())

    async def note() -> bool:
        await asyncio.sleep(0)
        return store.add(key(1), 60)

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(note() for _ in range(MANY)))

    assert sum(asyncio.run(all_at_once())) == 1


def test_threads_that_note_proofs_of_many_keys_lose_none_and_count_right() -> None:
    clock = Moving()
    store = MemoryReplayStore(clock)

    def note(thread: int) -> int:
        return sum(store.add(key(number, str(thread % 5)), 60 + number % 4) for number in range(500))

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(note, range(8))) == 500
    assert len(store) == sum(store._of_key.values()) == sum(map(len, store._ending.values())) == 500
