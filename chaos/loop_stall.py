"""How long the event loop of a process was kept from running, at worst.

A task sleeps two milliseconds at a time and notes by how much it woke late. What the machine took away (a
thread of the process, perhaps the one with the interpreter lock, was ready and had no CPU) is told apart
where Linux tells it, so that a busy neighbour is not mistaken for a blocking call. As a program it measures
a process that does nothing else, until its standard input ends: what is left there is the machine's doing.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

PERIOD = 0.002
THREADS = Path("/proc/self/task")


class LoopStall:
    """The longest stall since it was last asked, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.longest_with_cpu_wait = 0.0

    async def sample(self) -> None:
        """Measure until cancelled."""
        before = cpu_waits()
        while True:
            started = time.perf_counter()
            await asyncio.sleep(PERIOD)
            late = time.perf_counter() - started - PERIOD
            waits = cpu_waits()
            waited = sum(seconds - before.get(thread, 0.0) for thread, seconds in waits.items())
            self.longest_with_cpu_wait = max(self.longest_with_cpu_wait, late)
            self.longest = max(self.longest, late - waited)
            before = waits

    def take(self) -> dict[str, float]:
        """What was measured so far, in milliseconds; starts over."""
        taken = {"stall_ms": self.longest * 1e3, "stall_with_cpu_wait_ms": self.longest_with_cpu_wait * 1e3}
        self.longest = self.longest_with_cpu_wait = 0.0
        return taken


def cpu_waits() -> dict[str, float]:
    """For how many seconds each thread of this process was ready and had no CPU; none where nobody tells."""
    waits = {}
    try:
        for thread in THREADS.iterdir():
            waits[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):  # not Linux, or a thread has just ended
        pass
    return waits


async def idle() -> None:
    """Measure this process, print the outcome."""
    loop_stall = LoopStall()
    sampling = asyncio.create_task(loop_stall.sample())
    await asyncio.to_thread(sys.stdin.read)
    sampling.cancel()
    print(json.dumps(loop_stall.take()))


if __name__ == "__main__":
    asyncio.run(idle())
