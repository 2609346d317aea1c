"""How long the event loop of this process was kept from running, at worst.

A task sleeps a millisecond at a time and notes by how much it woke late. What the machine took away (the
thread was ready and waited for a CPU) is told apart where Linux tells it, so that a busy neighbour is not
mistaken for a blocking call; everything else, waiting for the interpreter lock included, counts.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

PERIOD = 0.001


class LoopStall:
    """The longest stall since it was last asked, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.longest_with_cpu_wait = 0.0

    async def sample(self) -> None:
        """Measure until cancelled."""
        cpu_wait = cpu_wait_of_this_thread()
        waited_before = cpu_wait()
        while True:
            started = time.perf_counter()
            await asyncio.sleep(PERIOD)
            late = time.perf_counter() - started - PERIOD
            waited = cpu_wait()
            self.longest_with_cpu_wait = max(self.longest_with_cpu_wait, late)
            self.longest = max(self.longest, late - (waited - waited_before))
            waited_before = waited

    def take(self) -> dict[str, float]:
        """What was measured so far, in milliseconds; starts over."""
        taken = {
            "stall_ms": round(self.longest * 1e3, 2),
            "stall_with_cpu_wait_ms": round(self.longest_with_cpu_wait * 1e3, 2),
        }
        self.longest = self.longest_with_cpu_wait = 0.0
        return taken


def cpu_wait_of_this_thread() -> Callable[[], float]:
    """A function: for how many seconds the calling thread was ready and had no CPU (0 where nobody tells)."""
    try:
        # Never closed: it is read for as long as the process lives.
        schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    except OSError:
        return lambda: 0.0
    return lambda: int(os.pread(schedstat, 128, 0).split()[1]) / 1e9
