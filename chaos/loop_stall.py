"""How long the event loop of this process was kept from running, at worst.

A task sleeps two milliseconds at a time and notes by how much it woke late. Of that, as much counts as the
process can have caused: the longest time that the loop was away from its selector (running callbacks, or
blocked in one), and the processor time of other threads (they may have held the interpreter lock). A timer
that rings late while the loop sleeps and no thread runs is the machine's doing, and so is a wait for a CPU.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import time
from collections.abc import Callable

PERIOD = 0.002


class WatchedSelector(selectors.DefaultSelector):
    """A selector that knows for how long its loop did not come back to it."""

    def __init__(self) -> None:
        super().__init__()
        self.longest_away = 0.0
        self._left = time.perf_counter()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events, as any selector does."""
        self.longest_away = max(self.longest_away, time.perf_counter() - self._left)
        try:
            return super().select(timeout)
        finally:
            self._left = time.perf_counter()


class WatchedEventLoop(asyncio.SelectorEventLoop):
    """The event loop of asyncio on a `WatchedSelector`."""

    def __init__(self) -> None:
        self.watched = WatchedSelector()
        super().__init__(self.watched)


class LoopStall:
    """The longest stall since it was last asked, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.longest_of_the_machine = 0.0

    async def sample(self, selector: WatchedSelector) -> None:
        """Measure the running loop until cancelled."""
        cpu_wait = cpu_wait_of_this_thread()
        while True:
            selector.longest_away = 0.0
            started, waited, others = time.perf_counter(), cpu_wait(), cpu_of_other_threads()
            await asyncio.sleep(PERIOD)
            late = time.perf_counter() - started - PERIOD
            waited, others = cpu_wait() - waited, cpu_of_other_threads() - others
            stalled = min(late - waited, selector.longest_away + others)
            self.longest = max(self.longest, stalled)
            self.longest_of_the_machine = max(self.longest_of_the_machine, late - stalled)

    def take(self) -> dict[str, float]:
        """What was measured so far, in milliseconds; starts over."""
        taken = {"stall_ms": self.longest * 1e3, "machine_ms": self.longest_of_the_machine * 1e3}
        self.longest = self.longest_of_the_machine = 0.0
        return taken


def cpu_of_other_threads() -> float:
    """Processor time that the other threads of this process have used, in seconds."""
    return time.process_time() - time.thread_time()


def cpu_wait_of_this_thread() -> Callable[[], float]:
    """A function: for how many seconds the calling thread was ready and had no CPU (0 where nobody tells)."""
    try:
        # Never closed: it is read for as long as the process lives.
        schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    except OSError:
        return lambda: 0.0
    return lambda: int(os.pread(schedstat, 128, 0).split()[1]) / 1e9
