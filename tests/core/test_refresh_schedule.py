"""When something may be asked for again, as pure functions of the time."""

from __future__ import annotations

import pytest

from bearerguard._core.refresh_schedule import Reason, RefreshSchedule

NOW = 1_700_000_000.0
FRESH = RefreshSchedule()
REASONS: list[Reason] = ["missing", "unknown_kid", "signature", "ahead"]


def rest(schedule: RefreshSchedule, reason: Reason, after: float = 0.0, *, in_hand: bool = True) -> float:
    return schedule.rest(reason, NOW + after, in_hand=in_hand)


@pytest.mark.parametrize("reason", REASONS)
def test_at_first_everything_may_be_asked_for(reason: Reason) -> None:
    assert rest(FRESH, reason) == 0


@pytest.mark.parametrize(("reason", "cooldown"), [("unknown_kid", 30), ("signature", 300)])
def test_what_strangers_can_cause_has_a_cooldown_of_its_own_from_when_it_was_begun(
    reason: Reason, cooldown: float
) -> None:
    begun = FRESH.begun(reason, NOW)
    assert (rest(begun, reason), rest(begun, reason, cooldown - 1), rest(begun, reason, cooldown)) == (
        cooldown,
        1,
        0,
    )
    assert [rest(begun, other) for other in REASONS if other != reason] == [0, 0, 0]
    # A success ends it as little as it begins it.
    assert rest(begun.succeeded(), reason) == cooldown


@pytest.mark.parametrize("reason", ["missing", "ahead"])
def test_what_only_time_can_cause_has_none(reason: Reason) -> None:
    assert FRESH.begun(reason, NOW) == FRESH


@pytest.mark.parametrize("reason", REASONS)
def test_after_a_failure_that_requests_waited_for_nothing_is_asked_for_a_while(reason: Reason) -> None:
    failed = FRESH.failed(NOW, waited_at=NOW)
    assert (rest(failed, reason), rest(failed, reason, 29), rest(failed, reason, 30)) == (30, 1, 0)
    assert rest(failed.succeeded(), reason) == 0


def test_a_failure_that_nobody_waited_for_puts_no_request_off() -> None:
    failed = FRESH.failed(NOW, waited_at=None)
    assert [rest(failed, reason) for reason in ("ahead", "signature")] == [30, 30]
    assert [rest(failed, reason) for reason in ("missing", "unknown_kid")] == [0, 0]


def test_a_failure_that_nobody_waited_for_does_not_end_the_cooldown_of_one_before() -> None:
    failed = FRESH.failed(NOW, waited_at=NOW).failed(NOW + 10, waited_at=None)
    assert rest(failed, "missing", 10) == 20
    assert rest(failed, "ahead", 10) == 30


def test_a_failure_counts_for_requests_from_when_the_last_one_waited() -> None:
    failed = FRESH.failed(NOW, waited_at=NOW - 5)
    assert rest(failed, "missing") == 25
    assert rest(failed, "ahead") == 30


def test_with_nothing_in_hand_the_first_failures_count_for_less() -> None:
    schedule, rests = FRESH, []
    for _ in range(8):
        schedule = schedule.failed(NOW, waited_at=NOW)
        rests.append(rest(schedule, "missing", in_hand=False))
    assert rests == [1, 2, 4, 8, 16, 30, 30, 30]
    assert rest(schedule, "missing", in_hand=True) == 30
    assert schedule.failures == 8
    assert schedule.succeeded().failures == 0


def test_of_very_many_failures_the_pause_is_no_longer() -> None:
    schedule = RefreshSchedule(failures=10_000).failed(NOW, waited_at=NOW)
    assert rest(schedule, "missing", in_hand=False) == 30


@pytest.mark.parametrize("reason", REASONS)
def test_a_clock_that_was_set_back_prolongs_nothing(reason: Reason) -> None:
    schedule = FRESH.begun("unknown_kid", NOW).begun("signature", NOW).failed(NOW, waited_at=NOW)
    assert rest(schedule, reason, -1) == 0
    assert rest(schedule, reason, 0) > 0


def test_the_longer_cooldown_counts() -> None:
    schedule = FRESH.begun("unknown_kid", NOW).failed(NOW + 20, waited_at=NOW + 20)
    assert rest(schedule, "unknown_kid", 20) == 30
    later = FRESH.failed(NOW, waited_at=NOW).begun("signature", NOW + 20)
    assert rest(later, "signature", 20) == 300
