"""Memories that share one bound in bytes."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

from bearerguard._core.shared_bound import SharedBound, WeighedGenerations, weight_of
from bearerguard._limits import FORGOTTEN_BYTES_AT_ONCE

LIMIT = 32 * FORGOTTEN_BYTES_AT_ONCE


class Entry:
    """Counts the bytes of all that are alive."""

    alive = 0

    def __init__(self, weight: int) -> None:
        self.weight = weight
        Entry.alive += weight

    def __del__(self) -> None:
        Entry.alive -= self.weight


Memory = WeighedGenerations[int, Entry]


@pytest.fixture(autouse=True)
def nobody_alive() -> None:
    gc.collect()
    Entry.alive = 0


def test_what_was_put_is_there() -> None:
    memory: Memory = WeighedGenerations(SharedBound(LIMIT))
    entry = Entry(1)
    memory.put(1, entry)
    assert memory.get(1) is entry
    assert memory.get(2) is None


@pytest.mark.parametrize("weight", [100, 1_000, 10_000, FORGOTTEN_BYTES_AT_ONCE + 1])
def test_several_memories_together_stay_within_the_bound(weight: int) -> None:
    bound = SharedBound(LIMIT)
    memories: list[Memory] = [WeighedGenerations(bound) for _ in range(7)]
    for number in range(20 * LIMIT // weight):
        memories[number % 7].put(number, Entry(weight))
        assert Entry.alive <= LIMIT + 3 * (FORGOTTEN_BYTES_AT_ONCE + weight)
    assert Entry.alive >= LIMIT // 4
    assert sum(map(len, memories)) * weight <= LIMIT + 3 * (FORGOTTEN_BYTES_AT_ONCE + weight)


def test_light_entries_make_room_for_heavy_ones_and_heavy_ones_for_light_ones() -> None:
    memory: Memory = WeighedGenerations(SharedBound(LIMIT))
    for weight in (50, 15_000, 50, 15_000):
        for number in range(3 * LIMIT // weight):
            memory.put(number, Entry(weight))
            assert Entry.alive <= LIMIT + 3 * (FORGOTTEN_BYTES_AT_ONCE + 15_000)


def test_what_is_asked_for_stays_and_the_rest_goes() -> None:
    memory: Memory = WeighedGenerations(SharedBound(LIMIT))
    memory.put(-1, Entry(100))
    memory.put(-2, Entry(100))
    for number in range(10 * LIMIT // 100):
        memory.put(number, Entry(100))
        assert memory.get(-1) is not None
    assert memory.get(-2) is None


def test_what_is_forgotten_is_freed_little_by_little() -> None:
    memory: Memory = WeighedGenerations(SharedBound(LIMIT))
    before = 0
    for number in range(10 * LIMIT // 100):
        memory.put(number, Entry(100))
        assert before - Entry.alive <= 2 * FORGOTTEN_BYTES_AT_ONCE + 200
        before = Entry.alive


def test_what_grows_counts() -> None:
    bound = SharedBound(LIMIT)
    memory: Memory = WeighedGenerations(bound)
    for number in range(1_000):
        memory.put(number, Entry(10))
        bound.weigh(10_000)
    assert len(memory) < 20


def test_what_is_too_heavy_by_itself_is_not_remembered() -> None:
    memory: Memory = WeighedGenerations(SharedBound(LIMIT))
    memory.put(1, Entry(LIMIT // 2 + 1))
    assert len(memory) == 0
    memory.put(1, Entry(LIMIT // 2))
    assert len(memory) == 1
    nothing: Memory = WeighedGenerations(SharedBound(0))
    nothing.put(1, Entry(1))
    assert len(nothing) == 0


def test_another_limit_forgets_what_was_remembered_under_the_old_one() -> None:
    bound = SharedBound(LIMIT)
    memory: Memory = WeighedGenerations(bound)
    for number in range(LIMIT // 100):
        memory.put(number, Entry(100))
    bound.limit(1_000)
    assert len(memory) == 0
    assert Entry.alive == 0
    memory.put(1, Entry(501))
    assert len(memory) == 0
    memory.put(1, Entry(500))
    assert len(memory) == 1


def test_a_memory_that_nobody_holds_is_freed_at_once() -> None:
    bound = SharedBound(LIMIT)
    memory: Memory = WeighedGenerations(bound)
    memory.put(1, Entry(100))
    del memory
    assert Entry.alive == 0
    assert not bound._memories
    other: Memory = WeighedGenerations(bound)
    for number in range(LIMIT // 100):
        other.put(number, Entry(100))
    assert other.old


def test_a_memory_that_goes_while_the_generations_turn_is_no_trouble() -> None:
    bound = SharedBound(LIMIT)
    bound._memories[0] = lambda: None  # type: ignore[assignment]
    memory: Memory = WeighedGenerations(bound)
    memory.put(1, Entry(100))
    bound._turn()
    assert list(memory.old) == [1]


def test_entries_that_another_thread_freed_meanwhile_are_no_trouble() -> None:
    bound = SharedBound(LIMIT)
    bound._forgotten = [{}, {}]
    bound.weigh(FORGOTTEN_BYTES_AT_ONCE)
    assert bound._forgotten == []

    class Gone(list[Any]):
        def __iter__(self) -> Any:
            self.clear()
            return iter(())

    bound._forgotten = Gone([{}])
    bound.weigh(FORGOTTEN_BYTES_AT_ONCE)
    assert bound._forgotten == []


def test_after_a_new_limit_nothing_is_left_to_be_freed() -> None:
    """Or the next entry could turn the generations by what weighed before."""
    bound = SharedBound(LIMIT)
    memory: Memory = WeighedGenerations(bound)
    memory.put(1, Entry(FORGOTTEN_BYTES_AT_ONCE - 1))
    bound.limit(2)
    memory.put(2, Entry(1))
    assert [*memory.young] == [2]


def test_a_value_weighs_what_is_in_it() -> None:
    value = {"a": ["b", {"c": 1.5}], "d": ("e",)}
    parts = [value, "a", value["a"], "b", value["a"][1], "c", 1.5, "d", value["d"], "e"]
    assert weight_of(value) == sum(map(sys.getsizeof, parts))
    assert weight_of(frozenset("a")) > weight_of(frozenset())


class Raced(list[Any]):
    """What is forgotten, of which another thread takes the last whenever one looks."""

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return 1


def test_another_thread_may_have_freed_the_last_since_one_looked() -> None:
    bound = SharedBound(LIMIT)
    memory: Memory = WeighedGenerations(bound)
    bound._forgotten = Raced()
    for number in range(4):
        memory.put(number, Entry(FORGOTTEN_BYTES_AT_ONCE))
    assert memory.get(3) is not None
