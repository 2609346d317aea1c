"""A ticket for one refresh: threads, and tasks of any event loop, wait on it for the outcome.

The refresh belongs to nobody who waits: a waiter that is cancelled, or whose loop has closed, takes only
itself away. A ticket has a deadline of its own, so nobody waits for a thread that is stuck.
"""

from __future__ import annotations

import threading
import time
from math import inf
from typing import Any

from bearerguard._limits import WAITERS_WOKEN_AT_ONCE


class Ticket:
    """One refresh under way, until `finish` is called.

    Args:
        seconds: for how long it may be waited on, from now.
    """

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self._done = threading.Event()
        self._groups: dict[Any, list[_Group]] = {}
        self._lock = threading.Lock()

    @property
    def is_overdue(self) -> bool:
        """Whether the deadline has passed with the refresh still under way."""
        return not self._done.is_set() and time.monotonic() >= self.deadline

    def finish(self) -> None:
        """Wake everybody who waits. May be called more than once, from any thread."""
        with self._lock:
            self._done.set()
            groups, self._groups = self._groups, {}
        for loop, waiting in groups.items():
            _wake(loop, waiting)

    def _seconds_left(self, patience: float) -> float:
        return max(0.0, min(patience, self.deadline - time.monotonic()))

    def wait(self, patience: float = inf) -> bool:
        """Block the thread until the refresh is over, or the deadline; return whether it is over.

        Args:
            patience: wait no longer than these seconds.
        """
        return self._done.wait(self._seconds_left(patience))

    async def wait_async(self, patience: float = inf) -> bool:
        """The same for a task of asyncio or trio."""
        import anyio.lowlevel  # noqa: PLC0415 - loaded long before, where there is an event loop

        until = min(time.monotonic() + patience, self.deadline)
        loop: Any = anyio.lowlevel.current_token().native_token
        while not self._done.is_set() and time.monotonic() < until:
            with self._lock:
                if self._done.is_set():
                    return True
                waiting = self._groups.setdefault(loop, [])
                joins = patience == inf and bool(waiting) and waiting[-1].size < WAITERS_WOKEN_AT_ONCE
                if not joins:
                    # Who is less patient than the deadline waits alone.
                    waiting.append(_Group(0 if patience == inf else WAITERS_WOKEN_AT_ONCE))
                group = waiting[-1]
                group.size += 1
            if joins:
                await group.event.wait()
            else:
                await self._keep(group, waiting, until)
        return self._done.is_set()

    async def _keep(self, group: _Group, waiting: list[_Group], until: float) -> None:
        """Wait as the first of a group, whose timer all of it goes by; they look again when it leaves."""
        import anyio  # noqa: PLC0415 - as above

        try:
            with anyio.move_on_after(max(0.0, until - time.monotonic())):
                await group.event.wait()
        finally:
            with self._lock:
                if group in waiting:
                    waiting.remove(group)
            group.event.set()


class _Group:
    """Tasks of one loop that are woken together: a timer each would cost as much as their tokens."""

    __slots__ = ("event", "size")

    def __init__(self, size: int) -> None:
        import anyio  # noqa: PLC0415 - as above

        self.event = anyio.Event()
        self.size = size


def _wake(loop: Any, waiting: list[_Group]) -> None:
    """Wake the groups of a loop from any thread, one in a turn, so that others are served in between."""
    # asyncio's loop and trio's token spell the same thing differently.
    schedule = loop.call_soon_threadsafe if hasattr(loop, "call_soon_threadsafe") else loop.run_sync_soon

    def wake_one() -> None:
        if waiting:  # those that were cancelled meanwhile have taken themselves away
            waiting.pop(0).event.set()
        if waiting:
            schedule(wake_one)

    try:
        schedule(wake_one)
    except RuntimeError:  # the loop has closed (trio.RunFinishedError is a RuntimeError too)
        return
