from __future__ import annotations

import pytest

from bearerguard._core.generations import Generations


def test_what_was_put_is_there() -> None:
    memory: Generations[str, int] = Generations(4)
    memory.put("a", 1)
    assert memory.get("a") == 1
    assert memory.get("b") is None


def test_the_last_ones_put_are_always_there() -> None:
    for count in range(4, 40):
        memory: Generations[int, int] = Generations(4)
        for number in range(count):
            memory.put(number, number)
        assert [memory.get(number) for number in range(count - 4, count)] == list(range(count - 4, count))


def test_it_never_holds_twice_as_many_as_its_limit() -> None:
    memory: Generations[int, int] = Generations(4)
    for number in range(100):
        memory.put(number, number)
        assert len(memory) < 8


def test_what_is_asked_for_stays_and_the_rest_goes() -> None:
    memory: Generations[int, int] = Generations(4)
    memory.put(-1, -1)
    memory.put(-2, -2)
    for number in range(20):
        memory.put(number, number)
        assert memory.get(-1) == -1
    assert memory.get(-2) is None


def test_a_newer_value_replaces_an_older_one_in_either_generation() -> None:
    memory: Generations[str, int] = Generations(2)
    memory.put("a", 1)
    memory.put("b", 1)  # both are of the older generation now
    memory.put("a", 2)
    assert memory.get("a") == 2
    assert len(memory) == 2


@pytest.mark.parametrize("limit", [8, 100, 256])
def test_what_is_forgotten_is_freed_little_by_little(limit: int) -> None:
    class Entry:
        alive = 0

        def __init__(self) -> None:
            Entry.alive += 1

        def __del__(self) -> None:
            Entry.alive -= 1

    memory: Generations[int, Entry] = Generations(limit)
    before = 0
    for number in range(10 * limit):
        memory.put(number, Entry())
        assert before - Entry.alive <= 16
        before = Entry.alive
        assert Entry.alive <= 3 * limit
    for number in range(10 * limit, 11 * limit):
        memory.put(number, Entry())
    assert Entry.alive <= 2 * limit


def test_what_is_forgotten_is_not_freed_at_each_step() -> None:
    memory: Generations[int, int] = Generations(64)
    for number in range(128):
        memory.put(number, number)
    before = []
    for number in range(128, 128 + 32):
        memory.put(number, number)
        before.append(len(memory._forgotten))
    assert before == [64] * 15 + [48] * 16 + [32]


def test_an_entry_that_another_thread_freed_meanwhile_does_no_harm() -> None:
    class Emptied(dict[int, int]):
        def __bool__(self) -> bool:
            return True

    memory: Generations[int, int] = Generations(4)
    memory._forgotten = Emptied()
    for number in range(5):
        memory.put(number, number)
    assert memory.get(1) == 1
