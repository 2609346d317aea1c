"""A circuit breaker as a value: when to stop asking what keeps failing, and who may try again.

A frozen state and pure functions of the time. It knows neither what is asked nor who waits, so whatever is
asked over a network can have one. After some failures in a row it rests, then lets one probe through at a
time; each probe that fails doubles the rest, and any success ends it.
"""

from __future__ import annotations

import msgspec

from bearerguard._limits import BREAKER_FAILURES, BREAKER_FIRST_REST, BREAKER_LONGEST_REST


class Breaker(msgspec.Struct, frozen=True):
    """What happened so far. Times are seconds of the server's clock.

    Attributes:
        failures: how many failed in a row.
        opened_at: when the rest began; None while the breaker does not rest.
        resting: how long the rest is, in seconds.
        is_probing: whether somebody tries, now that the rest is over.
        limit: so many failures in a row begin a rest.
        first: the first rest, in seconds.
        longest: the longest.

    Examples:
        >>> breaker = Breaker(limit=1).failed(100.0)
        >>> breaker.rest(100.25), breaker.rest(101.0)
        (0.75, 0.0)
    """

    failures: int = 0
    opened_at: float | None = None
    resting: float = 0.0
    is_probing: bool = False
    limit: int = BREAKER_FAILURES
    first: float = BREAKER_FIRST_REST
    longest: float = BREAKER_LONGEST_REST

    def rest(self, now: float) -> float:
        """Return for how many seconds nothing may be begun; 0 where it may. While one probes, a second."""
        if self.opened_at is None:
            return 0.0
        if self.is_probing:
            return self.first
        if now < self.opened_at:  # a clock that was set back does not prolong it
            return 0.0
        return max(0.0, self.resting - (now - self.opened_at))

    def begun(self) -> Breaker:
        """Return the state after something was begun that `rest` allowed: with a rest behind it, a probe."""
        return self if self.opened_at is None else msgspec.structs.replace(self, is_probing=True)

    def failed(self, now: float, *, is_probe: bool = False) -> Breaker:
        """Return the state after a failure.

        Args:
            now: when it failed.
            is_probe: whether it was begun as a probe. What was begun before the rest says nothing new.
        """
        failures = self.failures + 1
        if self.opened_at is None:
            if failures < self.limit:
                return msgspec.structs.replace(self, failures=failures)
            return msgspec.structs.replace(self, failures=failures, opened_at=now, resting=self.first)
        if not is_probe:
            return self
        resting = min(self.longest, 2 * self.resting)
        return msgspec.structs.replace(
            self, failures=failures, opened_at=now, resting=resting, is_probing=False
        )

    def succeeded(self) -> Breaker:
        """Return the state after a success, whoever had it: nothing before it counts any more."""
        return Breaker(limit=self.limit, first=self.first, longest=self.longest)

    def without_probe(self) -> Breaker:
        """Return the state where nobody will say what came of the probe: the next may be one."""
        return msgspec.structs.replace(self, is_probing=False)
