"""A clock that runs faster than the wall's, the same one in every process of a run.

With it the real default lifetimes and cooldowns play out in a minute; nothing in the library is shortened.
"""

from __future__ import annotations

import os
import time

from bearerguard.testing import Clock


class AcceleratedClock(Clock):
    """The clock of this run: from `CHAOS_EPOCH` (Unix time) on, `CHAOS_SPEED` times as fast as the wall's."""

    def __init__(self) -> None:
        self._epoch = float(os.environ["CHAOS_EPOCH"])
        self._speed = float(os.environ["CHAOS_SPEED"])
        super().__init__(self._epoch)

    def __call__(self) -> float:
        """Tell the time, in seconds since the epoch."""
        return self._epoch + (time.time() - self._epoch) * self._speed
