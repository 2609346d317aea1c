"""One question at a time: it is asked on a thread of its own, and belongs to nobody who waits for the answer.

Threads, and tasks of any event loop, join the question under way or begin one, and wait by its ticket. The
class that derives from this says what a question asks, when one may begin and what an answer changes.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, ClassVar, Generic, TypeVar

from bearerguard._core.refresh_schedule import Reason
from bearerguard._flows.effects import FetchFailed
from bearerguard._io.http import Session
from bearerguard._io.ticket import Ticket
from bearerguard._io.watched import Watched
from bearerguard._limits import FROZEN_AFTER, MAX_STUCK_REFRESHES

T = TypeVar("T")

_logger = logging.getLogger("bearerguard")


class Flight:
    """A question under way: why it was asked, since when, and the session to cut when it is overdue.

    `waiting` counts the requests that will be refused if it brings nothing; `has_failed` tells them that.
    """

    __slots__ = ("begun_at", "has_failed", "reason", "session", "thread", "ticket", "waiting", "watched")

    def __init__(self, reason: Reason, begun_at: float, seconds: float) -> None:
        self.reason: Reason = reason
        self.begun_at = begun_at
        self.ticket = Ticket(seconds)
        self.session: Session | None = None
        self.thread: threading.Thread | None = None
        self.watched: Watched | None = None
        self.waiting = 0
        self.has_failed = False


class SingleFlight(ABC, Generic[T]):
    """What can be asked for, by one question at a time.

    Servers share it: `users` are those that have not closed it, and `is_closed` is true after the last has.
    Those of them that observe are told of each question when it is over.

    Args:
        subject: who is asked, for the names of threads and for messages.
        clock: seconds since 1970.
        seconds: how long a question may take.
    """

    operation: ClassVar[str]
    """What is asked for, in a word."""

    def __init__(self, subject: str, *, clock: Callable[[], float], seconds: float) -> None:
        self.clock = clock
        self._subject = subject
        self._timeout = seconds
        self._lock = threading.Lock()
        self._flight: Flight | None = None
        self._stuck: list[threading.Thread] = []
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()
        self.is_closed = False
        import_backends()
        _living.add(self)

    # -- said by the derived class -------------------------------------------------------------------

    @abstractmethod
    def _may_begin(self, reason: Reason, now: float) -> bool:
        """Whether a question may be begun now. Asked without the lock, and again with it."""

    @abstractmethod
    def _begun(self, reason: Reason, now: float) -> None:
        """Note that one was begun; within the lock."""

    @abstractmethod
    def _ask(self, flight: Flight) -> T:
        """Ask, on the thread of the flight.

        Raises:
            FetchFailed: it brought nothing.
        """

    @abstractmethod
    def _learn(self, outcome: T | FetchFailed, *, at: float, waited_at: float | None) -> None:
        """Take over what a question brought; within the lock. Times as for `RefreshSchedule.failed`."""

    @abstractmethod
    def _tell(self, outcome: T | FetchFailed) -> None:
        """Log what happened; before those who wait go on."""

    # -- joining, waiting, leaving -------------------------------------------------------------------

    def join(self, reason: Reason) -> Flight | None:
        """Return the question under way, or a new one; None where none may be begun.

        The caller then waits for it, by `wait_until_over` or `await_until_over`.
        """
        while True:
            flight = self._flight
            if flight is None:
                return self._begin(reason)
            if self._is_overdue(flight):
                # It may have been so for hours, in a process that was frozen or had nothing to do. The
                # caller gives up on it without having waited for it, and so asks anew.
                self._give_up(flight)
                continue
            with self._lock:
                if self._flight is flight:
                    flight.waiting += _counts(reason)
                    return flight

    def wait_until_over(self, flight: Flight, reason: Reason, patience: float = inf) -> None:
        """Block the thread until a question that was joined is over, or for as long as patience lasts."""
        try:
            self._waited(flight, flight.ticket.wait(patience), patience)
        finally:
            self._leave(flight, reason)

    async def await_until_over(self, flight: Flight, reason: Reason, patience: float = inf) -> None:
        """The same for a task of any event loop. One that is cancelled ends nothing."""
        try:
            self._waited(flight, await flight.ticket.wait_async(patience), patience)
        finally:
            self._leave(flight, reason)

    def _waited(self, flight: Flight, is_over: bool, patience: float) -> None:
        if not is_over and (patience == inf or self._is_overdue(flight)):
            self._give_up(flight)

    def _leave(self, flight: Flight, reason: Reason) -> None:
        with self._lock:
            flight.waiting -= _counts(reason)

    def ask_ahead(self) -> None:
        """Begin a question that nobody waits for, if one may be begun. Never blocks, never raises."""
        flight = self._flight
        if flight is not None:
            if not self._is_overdue(flight):
                return
            self._give_up(flight)
        self._begin("ahead")

    @property
    def is_asking(self) -> bool:
        """Whether a question is under way."""
        return self._flight is not None

    def close(self) -> None:
        """Ask nothing any more: those who wait are told so, and connections are cut."""
        self.is_closed = True
        flight = self._flight
        if flight is not None:
            self._end(flight, FetchFailed("closed", f"{self._subject} is not asked any more"), self.clock())

    # -- the question --------------------------------------------------------------------------------

    def _is_overdue(self, flight: Flight) -> bool:
        """Whether its time is over: by the deadline, or by the clock where the machine itself slept."""
        return flight.ticket.is_overdue or self.clock() >= flight.begun_at + self._timeout + FROZEN_AFTER

    def _begin(self, reason: Reason) -> Flight | None:
        if self.is_closed or not self._may_begin(reason, self.clock()):
            return None  # without the lock: most requests of an outage end here
        with self._lock:
            if self._flight is not None:
                self._flight.waiting += _counts(reason)
                return self._flight
            # Read again: since the caller looked, a question may have failed, or have brought what it wants.
            now = self.clock()
            if self.is_closed or not self._may_begin(reason, now):
                return None
            flight = self._flight = Flight(reason, now, self._timeout)
            flight.waiting += _counts(reason)
            self._begun(reason, now)
        if self._observing():
            flight.watched = Watched()
        self._stuck = [thread for thread in self._stuck if thread.is_alive()]
        if len(self._stuck) >= MAX_STUCK_REFRESHES:
            message = f"{len(self._stuck)} earlier refreshes have not come back yet"
            self._settle(flight, FetchFailed("stuck", message), self.clock())
            return flight
        flight.thread = threading.Thread(
            target=self._run, args=(flight,), name=f"bearerguard refresh {self._subject}", daemon=True
        )
        try:
            flight.thread.start()
        except RuntimeError as problem:  # no more threads, or the interpreter is ending
            failure = FetchFailed("thread", f"no thread could be started: {problem}")
            self._settle(flight, failure, self.clock())
        return flight

    def _run(self, flight: Flight) -> None:
        """The body of the thread."""
        outcome: T | FetchFailed
        try:
            try:
                outcome = self._ask(flight)
            finally:
                if flight.session is not None:
                    flight.session.abort()
        except FetchFailed as failure:
            outcome = failure
        except BaseException as unexpected:
            # A defect must not leave a ticket pending for ever, nor take what is in hand away; nor may
            # what is not an `Exception`, such as a time limit of gevent's, or `sys.exit()` in a key function.
            _logger.debug("asking %s failed unexpectedly", self._subject, exc_info=True)
            outcome = FetchFailed("unexpected", repr(unexpected)[:300])
        self._settle(flight, outcome, self.clock())

    def _give_up(self, flight: Flight) -> None:
        """Fail a question that is overdue; what its thread brings later is thrown away."""
        message = f"{self._subject} did not answer within {self._timeout:g} s"
        # It failed at its deadline, whenever that is noticed: a cooldown may have passed by now.
        self._end(flight, FetchFailed("timeout", message), min(self.clock(), flight.begun_at + self._timeout))

    def _end(self, flight: Flight, failure: FetchFailed, at: float) -> None:
        if not self._settle(flight, failure, at):
            return
        if flight.thread is not None:
            self._stuck.append(flight.thread)
        if flight.session is not None:
            flight.session.cut()

    def _settle(self, flight: Flight, outcome: T | FetchFailed, at: float) -> bool:
        """End a question, once: take its answer over, or note the failure and keep everything."""
        with self._lock:
            if self._flight is not flight:
                return False
            flight.has_failed = isinstance(outcome, FetchFailed)
            self._learn(outcome, at=at, waited_at=at if flight.waiting else _asked_at(flight))
            self._flight = None
        self._tell(outcome)
        flight.ticket.finish()
        if flight.watched is not None:
            failure = outcome.kind if isinstance(outcome, FetchFailed) else None
            for tell in self._observing():
                flight.watched.over(partial(_told, tell, self, failure))
        return True

    def _observing(self) -> list[Callable[[Any, float, str | None], None]]:
        """What tells the users that observe."""
        while True:
            try:
                return [user.tell for user in self.users if user.tell is not None]
            except RuntimeError:  # a server is built at this moment
                continue

    def forget_threads(self) -> None:
        """In a forked child: a question's thread stayed in the parent, and so did the holder of the lock."""
        self._lock = threading.Lock()
        self._flight = None
        self._stuck = []


def _told(
    tell: Callable[[Any, float, str | None], None], source: object, failure: str | None, seconds: float
) -> None:
    tell(source, seconds, failure)


def _counts(reason: Reason) -> int:
    return 1 if reason in ("missing", "unknown_kid") else 0


def _asked_at(flight: Flight) -> float | None:
    """When a request had a question asked that it no longer waits for; None where none did."""
    return flight.begun_at if _counts(flight.reason) else None


def import_backends() -> None:
    """Import what waiting takes now, so that the first request that waits does not do it on its loop."""
    for backend in ("asyncio", "trio"):
        if backend in sys.modules:
            importlib.import_module(f"anyio._backends._{backend}")


_living: weakref.WeakSet[SingleFlight[Any]] = weakref.WeakSet()


def _after_fork() -> None:
    for one in list(_living):
        one.forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
