"""Time that passes only when everybody waits: a heap of who goes on next, and when. No real clock is read.

Lives are generators, and what they call may pause in the middle, as code of the library does that has a
thread of its own. Whoever pauses has another thread go on with the heap, so that only one thread runs at a
time; where nothing else would happen meanwhile, the time just passes.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Generator, Iterable
from math import isfinite
from typing import Any, TypeAlias

Life: TypeAlias = Generator[float]
"""Yields the seconds after which it goes on; endless ones where it never does."""


class SimulatedTime:
    """The seconds that have passed, and what is to happen in those that come.

    Attributes:
        now: seconds since the beginning.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._coming: list[tuple[float, int, Life | Any]] = []
        self._number = 0
        self._idle: list[Any] = []  # the locks of threads that can go on with the heap
        self._is_over = False
        self._failure: BaseException | None = None

    def run(self, lives: Iterable[Life]) -> None:
        """Have all live until nothing is to happen any more.

        Raises:
            BaseException: whatever one of them raised.
        """
        for life in lives:
            self._at(self.now, life)
        self._go_on()
        if self._failure is not None:
            raise self._failure

    def pause(self, seconds: float) -> None:
        """Let so many seconds pass, in something that a life has called."""
        until = self.now + seconds
        if not self._coming or self._coming[0][0] > until:
            self.now = until
            return
        own = _taken_lock()
        self._at(until, own)
        if self._idle:
            self._idle.pop().release()
        else:
            threading.Thread(target=self._go_on, name="bench simulated time", daemon=True).start()
        own.acquire()

    def _at(self, when: float, who: Life | Any) -> None:
        self._number += 1  # of two at the same time, the one that was said first
        heapq.heappush(self._coming, (when, self._number, who))

    def _go_on(self) -> None:
        try:
            while self._coming and not self._is_over:
                self.now, _, who = heapq.heappop(self._coming)
                if isinstance(who, Generator):
                    rest = next(who, None)
                    if rest is not None and isfinite(rest):
                        self._at(self.now + rest, who)
                else:
                    own = _taken_lock()
                    self._idle.append(own)
                    who.release()
                    own.acquire()
        except BaseException as failure:  # noqa: BLE001 - of any thread: `run` raises it to its caller
            self._failure = failure
        self._is_over = True
        while self._idle:
            self._idle.pop().release()


def _taken_lock() -> Any:
    lock = threading.Lock()
    lock.acquire()
    return lock
