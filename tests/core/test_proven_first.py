"""What strangers can name never pushes out what has proven itself."""

from __future__ import annotations

from bearerguard._core.first_fetches import FirstFetches
from bearerguard._core.proven_first import ProvenFirst


def test_a_flood_of_new_names_pushes_out_only_new_ones() -> None:
    memory: ProvenFirst[int] = ProvenFirst(proven=2, new=2)
    memory.add("known", 0)
    memory.prove("known")
    pushed_out = [gone for number in range(1, 6) for gone in memory.add(str(number), number)]
    assert pushed_out == [1, 2, 3]
    assert memory.get("known") == 0
    assert list(memory) == [0, 4, 5]
    assert list(memory.unproven()) == [4, 5]
    assert len(memory) == 3


def test_of_those_that_have_proven_themselves_the_least_recently_used_goes() -> None:
    memory: ProvenFirst[int] = ProvenFirst(proven=2, new=9)
    for number, name in enumerate("abc"):
        memory.add(name, number)
    assert memory.prove("a") == []
    assert memory.prove("b") == []
    assert memory.get("a") == 0
    assert memory.prove("c") == [1]
    assert memory.get("b") is None


def test_what_is_removed_is_forgotten_in_both_parts() -> None:
    memory: ProvenFirst[int] = ProvenFirst(proven=2, new=2)
    for name in "ab":
        memory.add(name, 1)
    memory.prove("a")
    for name in "abc":
        memory.remove(name)
    assert len(memory) == 0
    assert memory.prove("a") == []


def test_so_many_at_once_and_so_many_a_minute() -> None:
    state: FirstFetches | None = FirstFetches(at_once=2, a_minute=3)
    assert state is not None
    assert state.begin(0.0, under_way=2) is None
    assert state.rest(0.0) == 1.0
    for _ in range(3):
        state = state.begin(10.0, under_way=1)
        assert state is not None
    assert state.begin(20.0, under_way=0) is None
    assert state.rest(20.0) == 50.0
    assert state.rest(69.9) == 1.0
    later = state.begin(70.0, under_way=0)
    assert later is not None
    assert later.begun == (70.0,)


def test_a_clock_that_was_set_back_does_not_open_the_gate() -> None:
    state = FirstFetches(at_once=9, a_minute=1).begin(1000.0, under_way=0)
    assert state is not None
    assert state.begin(10.0, under_way=0) is None
    assert state.rest(10.0) == 60.0
