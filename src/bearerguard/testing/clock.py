"""A clock that a test can move.

Everything in Bearerguard that looks at the time is given a clock: a callable that returns seconds since the
epoch. This one is such a callable, and it can be set forward or back. It does not make anything else in the
process believe a different time: `time.time` stays what it is.
"""

from __future__ import annotations

import threading
import time

__all__ = ["Clock"]


class Clock:
    """Seconds since the epoch, movable by hand; safe to read and move from several threads.

    Args:
        start: seconds since the epoch. Given: the clock reads this, and stands still but for `advance`.
            Left out: it starts at the present (rounded down to a whole second, so that no test depends on
            the fraction) and runs.

    Examples:
        ```python
        clock = Clock(1_700_000_000)
        clock.advance(60)
        assert clock() == 1_700_000_060
        ```
    """

    def __init__(self, start: float | None = None) -> None:
        self._lock = threading.Lock()
        self._running_since = time.monotonic() if start is None else None
        self._reading = float(int(time.time())) if start is None else float(start)

    def __call__(self) -> float:
        """Tell the time, in seconds since the epoch."""
        with self._lock:
            if self._running_since is None:
                return self._reading
            return self._reading + time.monotonic() - self._running_since

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`; back, where they are negative."""
        with self._lock:
            self._reading += seconds

    def __repr__(self) -> str:
        return f"<Clock at {self():.3f}>"
