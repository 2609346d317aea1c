"""The simulation of `docs/fleet.md`, of few: a refresh is one fetch with a store, one each without."""

from __future__ import annotations

import pytest

from bench.fleet import HOUR, Counted, Day, simulate

PROCESSES = 7
QUIET = Day(seconds=0.7 * HOUR, rotations=(), outages=())


def test_the_first_keys_are_one_fetch_with_a_store_and_one_each_without() -> None:
    assert simulate(PROCESSES, QUIET, is_shared=False).answered == PROCESSES
    assert simulate(PROCESSES, QUIET, is_shared=True).answered == 1


def test_so_is_a_refresh_of_keys_that_fall_due() -> None:
    day = Day(seconds=1.5 * HOUR, rotations=(), outages=())
    assert simulate(PROCESSES, day, is_shared=False).answered == 2 * PROCESSES
    assert simulate(PROCESSES, day, is_shared=True).answered == 2


def test_so_is_a_rotation() -> None:
    day = Day(seconds=0.7 * HOUR, rotations=(0.5 * HOUR,), outages=())
    assert simulate(PROCESSES, day, is_shared=False).answered == 2 * PROCESSES
    assert simulate(PROCESSES, day, is_shared=True).answered == 2


def test_processes_that_begin_in_the_same_moment_ask_once() -> None:
    day = Day(seconds=0.7 * HOUR, rotations=(0.5 * HOUR,), outages=(), spread=0.0)
    assert simulate(PROCESSES, day, is_shared=True) == Counted(2, 0, 1)


@pytest.mark.parametrize("is_shared", [False, True])
def test_in_an_outage_each_process_tries_again_every_30_seconds(is_shared: bool) -> None:
    day = Day(seconds=1.5 * HOUR, rotations=(), outages=((0.7 * HOUR, 1.0 * HOUR),))
    counted = simulate(1, day, is_shared=is_shared)
    due_for = (1.0 - 0.8, 1.0 - 0.9)  # hours, of a lifetime of one: a refresh is due at 80 to 90 % of it
    most, least = (hours * HOUR / 30 for hours in due_for)
    assert least - 3 <= counted.failed <= most + 1
    assert counted.answered == 2


def test_the_same_seed_gives_the_same_day_and_another_one_another() -> None:
    days = [simulate(20, Day(), is_shared=False, seed=seed) for seed in (1, 1, 2)]
    assert days[0] == days[1] != days[2]
