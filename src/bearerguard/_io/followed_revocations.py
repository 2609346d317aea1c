"""The revocations of a fleet: one thread follows the log, and the list in memory is what requests ask.

The thread is started by a request, and reads on from where it was; a forked child starts its own. A request
that finds the list too old to be relied on waits for the next read that begins after it, together with all
others, up to the store's deadline. What was heard is never taken back, whatever becomes of the log.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable
from typing import Any

from bearerguard._core.denylist import Entry
from bearerguard._flows.effects import RevocationLog, StoreFailed
from bearerguard._io.fork import call_after_fork
from bearerguard._io.revocations import WHILE_FULL, Revocations, unwritten
from bearerguard._io.ticket import Ticket
from bearerguard._limits import MAX_LEEWAY, MAX_REVOCATIONS, REVOCATIONS_AT_ONCE, REVOCATIONS_READ_EVERY
from bearerguard.observe import logger
from bearerguard.revocation import Revocation


class FollowedRevocations(Revocations):
    """What this process has heard of the revocations of all.

    Args:
        revocation: what is asked for.
        clock: seconds since 1970.
        log: what all of them write and read.
        leeway: seconds by which an entry may lie ahead of our clock.
        seconds: for how long a request waits for the log.
        limit: how many entries are held.
    """

    def __init__(  # noqa: PLR0917 - in the order in which they matter
        self,
        revocation: Revocation,
        clock: Callable[[], float],
        log: RevocationLog,
        leeway: float,
        seconds: float,
        limit: int = MAX_REVOCATIONS,
    ) -> None:
        super().__init__(revocation, clock, log.naming, limit)
        self._log = log
        self._leeway = leeway
        self._seconds = seconds
        self._max_lag = revocation.max_lag
        self._is_strict = revocation.strict
        self._position: bytes | None = None
        self._next: _Read | None = None
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self.is_closed = False
        self.heard_at: float | None = None
        self.skipped = 0
        self._forget_what_was_heard_when()
        call_after_fork(self)

    # -- what requests ask -----------------------------------------------------------------------------

    def hear(self) -> float | None:
        """Hear of all that was revoked before now; return when to come back where that cannot be heard."""
        read = self._joined()
        read.ticket.wait()
        return read.outcome()

    async def hear_async(self) -> float | None:
        """The same as `hear`, for a task."""
        read = self._joined()
        await read.ticket.wait_async()
        return read.outcome()

    def write(self, entry: Entry) -> None:
        """Revoke for all; return when it is in force here, and is on its way to all others.

        Raises:
            ProviderUnavailable: `revocation_store`: the store is away, and it may not be in force.
        """
        try:
            self._log.append(entry, self._kept_for())
        except StoreFailed as failure:
            raise unwritten(failure.retry_after) from None
        self.note(entry)

    async def write_async(self, entry: Entry) -> None:
        """The same as `write`, for a task."""
        try:
            await self._log.append_async(entry, self._kept_for())
        except StoreFailed as failure:
            raise unwritten(failure.retry_after) from None
        self.note(entry)

    def spend(self, name: bytes, seconds: float) -> bool:
        """Use up what is good once, for all; False where somebody has.

        Raises:
            ProviderUnavailable: `revocation_store`: the store is away.
        """
        try:
            return self._log.spend(name, seconds)
        except StoreFailed as failure:
            raise unwritten(failure.retry_after) from None

    async def spend_async(self, name: bytes, seconds: float) -> bool:
        """The same as `spend`, for a task."""
        try:
            return await self._log.spend_async(name, seconds)
        except StoreFailed as failure:
            raise unwritten(failure.retry_after) from None

    def is_heard(self) -> bool:
        """Whether the store was heard within `max_lag`; where it was not, it is asked meanwhile."""
        now, heard_at = self._clock(), self.heard_at
        is_heard = heard_at is not None and heard_at - self._max_lag <= now <= heard_at + self._max_lag
        if not is_heard or self._thread is None:
            self._joined()
        return (is_heard or self.revoked.opens) and not self.list.is_full

    def health(self) -> dict[str, Any]:
        """Return how many entries there are, how long ago the store was heard, and how many were skipped."""
        lag = None if self.heard_at is None else max(0.0, self._clock() - self.heard_at)
        return {**super().health(), "lag": lag, "skipped": self.skipped}

    def close(self) -> None:
        """End the thread. May be called more than once."""
        self.is_closed = True
        self._wake.set()

    def _kept_for(self) -> float:
        """For how long an entry stays in the log: as long as in memory, for processes that start later."""
        return self.list.horizon + 4 * MAX_LEEWAY

    # -- the thread ------------------------------------------------------------------------------------

    def _joined(self) -> _Read:
        """The next read, which begins after this; a thread that makes it is started if none runs."""
        with self._lock:
            if self._next is None:
                self._next = _Read(self._seconds)
            read = self._next
            if self._thread is None:
                self._thread = threading.Thread(
                    target=_follow,
                    args=(weakref.ref(self), self._wake),
                    name="bearerguard revocations",
                    daemon=True,
                )
                try:
                    self._thread.start()
                except RuntimeError:  # no thread can be started: the next request tries again
                    self._thread, self._next = None, None
                    read.failed(1.0)
        self._wake.set()
        return read

    def read_once(self) -> None:
        """Read what is new, and tell those who wait; the thread does it again and again."""
        with self._lock:
            read, self._next = self._next, None
            self.list.forget(self._clock())  # before: a list that is full reads nothing
        began = self._clock()
        try:
            self._read_on()
        except StoreFailed as failure:
            if read is not None:
                read.failed(failure.retry_after)
            return
        except BaseException:
            if read is not None:
                read.failed(1.0)
            raise
        with self._lock:
            is_full = self.list.is_full
            self._open_or_shut()
            if not is_full:
                self.heard_at = began
                if not self._is_strict:
                    # For longer a clock that was set back is not believed either.
                    self.list.since, self.list.until = began - self._max_lag, began + self._max_lag
        if read is not None and is_full:
            read.failed(WHILE_FULL)
        elif read is not None:
            read.heard()

    def read_or_say_why_not(self) -> None:
        """The same, for the thread: whatever goes wrong, it goes on."""
        try:
            self.read_once()
        except Exception as problem:  # noqa: BLE001 - a client may raise anything
            logger().warning("revocations cannot be read: %s", type(problem).__name__)

    def _read_on(self) -> None:
        """Read up to the end of the log; from its beginning where it is not the one that was read so far."""
        while not self.list.is_full:
            found = self._log.read(self._position)
            if found is None:
                self._position = None
                found = self._log.read(None)
                if found is None:
                    return
            self._take(found)
            if len(found) < REVOCATIONS_AT_ONCE:
                return

    def _take(self, found: list[Any]) -> None:
        skipped = 0
        for one in found:
            entry = one.entry
            if entry is None or entry.at > self._clock() + self._leeway:
                skipped += 1
            elif not self.note(entry):
                return  # full: read on from here when there is place
            self._position = one.position
        if skipped:
            self.skipped += skipped
            logger().warning(
                "%d entries of revocations in the store cannot be read, or lie in the future: skipped; who "
                "else writes there?",
                skipped,
                extra={"skipped": skipped},
            )

    def _open_or_shut(self) -> None:
        if self.list.is_full:
            self.list.since, self.list.until = math.inf, -math.inf

    # -- forks -----------------------------------------------------------------------------------------

    def _forget_what_was_heard_when(self) -> None:
        self.list.since, self.list.until = math.inf, -math.inf

    def after_fork(self) -> None:
        """Begin as a child: what was heard stays heard, and the first request starts a thread of its own."""
        self._next, self._thread, self._wake = None, None, threading.Event()
        self._forget_what_was_heard_when()


class _Read:
    """A read that requests wait for."""

    __slots__ = ("_retry_after", "ticket")

    def __init__(self, seconds: float) -> None:
        self.ticket = Ticket(seconds)
        self._retry_after: float | None = 1.0  # where it does not end in time

    def heard(self) -> None:
        self._retry_after = None
        self.ticket.finish()

    def failed(self, retry_after: float) -> None:
        self._retry_after = retry_after
        self.ticket.finish()

    def outcome(self) -> float | None:
        """None where all was heard; else, in seconds, when to come back."""
        return self._retry_after


def _follow(holder: weakref.ref[FollowedRevocations], wake: threading.Event) -> None:
    """Read on and on, for as long as somebody holds what is read."""
    while True:
        followed = holder()
        if followed is None or followed.is_closed:
            return
        followed.read_or_say_why_not()
        del followed
        wake.wait(REVOCATIONS_READ_EVERY)
        wake.clear()
