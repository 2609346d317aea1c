"""When to stop asking what keeps failing: a breaker as a value, and pure functions of the time."""

from __future__ import annotations

import pytest

from bearerguard._core.breaker import Breaker

NOW = 1_700_000_000.0


def failing(times: int, now: float = NOW) -> Breaker:
    breaker = Breaker()
    for _ in range(times):
        breaker = breaker.failed(now)
    return breaker


def probed(breaker: Breaker, now: float) -> Breaker:
    """The state after a probe that failed."""
    return breaker.begun().failed(now, is_probe=True)


@pytest.mark.parametrize("failures", range(5))
def test_four_failures_in_a_row_keep_nobody_from_asking(failures: int) -> None:
    assert failing(failures).rest(NOW) == 0


def test_after_the_fifth_failure_in_a_row_nothing_is_asked_for_a_second() -> None:
    breaker = failing(5)
    assert [breaker.rest(NOW + after) for after in (0, 0.25, 1, 2)] == [1, 0.75, 0, 0]


def test_failures_are_counted_in_a_rest_too() -> None:
    assert failing(5).failures == 5
    assert probed(failing(5), NOW + 1).failures == 6


def test_a_success_in_between_ends_the_row() -> None:
    breaker = failing(4).succeeded()
    assert breaker == Breaker()
    assert breaker.failed(NOW).rest(NOW) == 0


def test_only_one_probes_at_a_time() -> None:
    breaker = failing(5).begun()
    assert breaker.rest(NOW + 1) == 1
    assert breaker.rest(NOW + 100) == 1


def test_what_is_begun_before_a_rest_is_not_a_probe() -> None:
    assert failing(4).begun() == failing(4)


def test_each_probe_that_fails_doubles_the_rest_up_to_half_a_minute() -> None:
    breaker, now, rests = failing(5), NOW, []
    for _ in range(7):
        rests.append(breaker.rest(now))
        now += breaker.rest(now)
        assert breaker.rest(now) == 0
        breaker = probed(breaker, now)
    assert rests == [1, 2, 4, 8, 16, 30, 30]


def test_a_probe_that_succeeds_ends_the_rest() -> None:
    assert failing(5).begun().succeeded() == Breaker()


def test_what_was_begun_before_the_rest_and_fails_in_it_neither_prolongs_nor_probes() -> None:
    breaker = failing(5)
    assert breaker.failed(NOW + 0.5) == breaker
    assert breaker.begun().failed(NOW + 0.5).is_probing


def test_a_success_that_comes_late_ends_the_rest_and_the_probe_under_way_counts_as_any_question() -> None:
    breaker = failing(5).begun().succeeded().failed(NOW, is_probe=True)
    assert (breaker.failures, breaker.rest(NOW)) == (1, 0)


def test_a_probe_of_which_nobody_will_say_what_came_lets_the_next_one_through() -> None:
    assert failing(5).begun().without_probe().rest(NOW + 1) == 0


def test_a_clock_that_was_set_back_does_not_prolong_a_rest() -> None:
    assert failing(5).rest(NOW - 3600) == 0


def test_how_many_failures_and_how_long_a_rest_are_arguments() -> None:
    breaker = Breaker(limit=1, first=0.5, longest=0.75).failed(NOW)
    assert breaker.rest(NOW) == 0.5
    assert probed(breaker, NOW).rest(NOW) == 0.75
    assert breaker.succeeded() == Breaker(limit=1, first=0.5, longest=0.75)
