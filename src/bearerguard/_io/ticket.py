"""A ticket for one refresh: threads, and tasks of any event loop, wait on it for the outcome.

The refresh belongs to nobody who waits: a waiter that is cancelled, or whose loop has closed, takes only
itself away. A ticket has a deadline of its own, so nobody waits for a thread that is stuck.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from math import inf
from typing import Any

import anyio
import anyio.lowlevel


class Ticket:
    """One refresh under way, until `finish` is called.

    Args:
        seconds: for how long it may be waited on, from now.
    """

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self._done = threading.Event()
        self._wakers: set[Callable[[], None]] = set()
        self._lock = threading.Lock()

    @property
    def is_overdue(self) -> bool:
        """Whether the deadline has passed with the refresh still under way."""
        return not self._done.is_set() and time.monotonic() >= self.deadline

    def finish(self) -> None:
        """Wake everybody who waits. May be called more than once, from any thread."""
        with self._lock:
            self._done.set()
            wakers, self._wakers = self._wakers, set()
        for wake in wakers:
            wake()

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
        event = anyio.Event()
        wake = _waker(event)
        with self._lock:
            if self._done.is_set():
                return True
            self._wakers.add(wake)
        try:
            with anyio.move_on_after(self._seconds_left(patience)):
                await event.wait()
        finally:
            with self._lock:
                self._wakers.discard(wake)
        return self._done.is_set()


def _waker(event: anyio.Event) -> Callable[[], None]:
    """Return a function that sets `event` from any thread, and does nothing where its loop is gone."""
    token: Any = anyio.lowlevel.current_token().native_token
    # asyncio's loop and trio's token spell the same thing differently.
    schedule = token.call_soon_threadsafe if hasattr(token, "call_soon_threadsafe") else token.run_sync_soon

    def wake() -> None:
        try:
            schedule(event.set)
        except RuntimeError:  # the loop has closed (trio.RunFinishedError is a RuntimeError too)
            return

    return wake
