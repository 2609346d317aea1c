"""The movable clock."""

from __future__ import annotations

import threading
import time

from bearerguard.testing import Clock
from tests.testing.waiting import until


def test_a_clock_with_a_start_stands_still_until_it_is_advanced() -> None:
    clock = Clock(1_700_000_000.5)
    assert [clock(), clock()] == [1_700_000_000.5, 1_700_000_000.5]
    clock.advance(60)
    assert clock() == 1_700_000_060.5


def test_negative_seconds_move_it_back() -> None:
    clock = Clock(100)
    clock.advance(-30)
    assert clock() == 70


def test_a_clock_without_a_start_begins_at_the_present_and_runs() -> None:
    before = int(time.time())
    clock = Clock()
    first = clock()
    assert before <= first <= time.time()
    until(lambda: clock() > first)
    clock.advance(3_600)
    assert clock() >= first + 3_600


def test_advances_from_many_threads_all_count() -> None:
    clock = Clock(0)

    def advance() -> None:
        for _ in range(1_000):
            clock.advance(1)

    threads = [threading.Thread(target=advance) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock() == 8_000


def test_its_repr_tells_the_time() -> None:
    assert repr(Clock(12)) == "<Clock at 12.000>"
