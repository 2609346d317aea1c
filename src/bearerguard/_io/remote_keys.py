"""The life of one provider's fetched keys: when to refresh, who may ask for it, what a failure changes.

A refresh runs on a thread of its own and belongs to no request; at most one runs at a time, and it swaps the
snapshot by one assignment or changes nothing at all. Nothing here judges a token.
"""

from __future__ import annotations

import importlib
import logging
import os
import random
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import msgspec

from bearerguard._flows.effects import Cause, FetchFailed
from bearerguard._flows.key_fetch import Fetched, Origin, fetch_keys
from bearerguard._io.drive import run_fetch
from bearerguard._io.http import HttpClient, Session
from bearerguard._io.ticket import Ticket
from bearerguard._jose.key_set import KeySet, dated, lifetime_of
from bearerguard._limits import COOLDOWN, FETCH_TIMEOUT, FIRST_COOLDOWN, MAX_STUCK_REFRESHES

_logger = logging.getLogger("bearerguard")


class Failure(msgspec.Struct, frozen=True):
    """Why a refresh brought nothing, and when, in seconds of the server's clock."""

    at: float
    kind: str
    message: str


class Refresh:
    """A refresh under way: its ticket, and the session to cut when it is overdue."""

    __slots__ = ("session", "thread", "ticket")

    def __init__(self, seconds: float) -> None:
        self.ticket = Ticket(seconds)
        self.session: Session | None = None
        self.thread: threading.Thread | None = None


class RemoteKeySource:
    """A key source that fetches.

    Args:
        origin: where the keys are.
        clock: seconds since 1970, the same clock that claims are checked by.
        http_options: arguments of `httpx2.Client`.
        lifetime: seconds for which keys are fresh; None leaves it to the provider's `Cache-Control`.
        chance: a source of random numbers from 0 to 1.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        clock: Callable[[], float],
        http_options: Mapping[str, Any],
        lifetime: float | None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.origin = origin
        self.key_set: KeySet | None = None
        self.last_failure: Failure | None = None
        self.clock = clock
        self.lifetime = lifetime
        self._chance = chance
        self._client = None if origin.function is not None else HttpClient(http_options)
        _import_backends()
        self._timeout = FETCH_TIMEOUT if self._client is None else self._client.timeout
        self._quiet_since: dict[str, float] = {}
        self._failures = 0
        self._in_haste = False
        self._told: set[str] = set()
        self._stuck: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._refresh: Refresh | None = None
        _living.add(self)

    # -- asked by the pipeline -----------------------------------------------------------------------

    def refresh_ahead(self, now: float) -> None:
        """Start a refresh that nobody waits for, if one may be started now. Never blocks, never raises."""
        refresh = self._refresh
        if refresh is not None:
            if refresh.ticket.is_overdue:
                self._give_up(refresh)
        else:
            self._start("ahead", now)

    def wait(self, cause: Cause) -> float | None:
        """Wait, blocking the thread, until the keys are as new as they can be had.

        Returns:
            None when they are; where the provider failed, the seconds after which to try again.
        """
        return self.wait_for(self.join(cause))

    def wait_for(self, refresh: Refresh | None) -> float | None:
        """The same for a refresh that was joined before."""
        if refresh is not None and not refresh.ticket.wait():
            self._give_up(refresh)
        return self._outcome()

    async def wait_async(self, cause: Cause) -> float | None:
        """The same for a task of any event loop."""
        return await self.await_for(self.join(cause))

    async def await_for(self, refresh: Refresh | None) -> float | None:
        """The same for a refresh that was joined before."""
        if refresh is not None and not await refresh.ticket.wait_async():
            self._give_up(refresh)
        return self._outcome()

    # -- told to operators ---------------------------------------------------------------------------

    def adopt(self, key_set: KeySet) -> None:
        """Take over a key set from elsewhere, unless one as new is in hand."""
        with self._lock:
            if self.key_set is None or self.key_set.fetched_at < key_set.fetched_at:
                self.key_set = key_set

    @property
    def next_refresh(self) -> float | None:
        """When the next refresh may start, in seconds of the server's clock; None where none ever will."""
        now = self.clock()
        due = now if self.key_set is None else self.key_set.refresh_at
        allowed = now + max(0.0, self._rest("failure", now))
        return max(due, allowed) if isfinite(due) else None

    # -- the refresh ---------------------------------------------------------------------------------

    def _rest(self, cause: str, now: float) -> float:
        """Seconds of the cooldown that are left. A clock that was set back does not prolong it."""
        since = self._quiet_since.get(cause)
        if since is None or now < since:
            return 0.0
        return self._cooldown(cause, now) - (now - since)

    def _cooldown(self, cause: str, now: float) -> float:
        """How long to leave the provider alone, in seconds.

        Without keys in hand every request is refused, so a failure counts for less at first: 1 s, then twice
        that each time. An API that starts just before its provider is there as soon as that is.
        """
        key_set = self.key_set
        if cause != "failure" or (key_set is not None and now < key_set.usable_until):
            return COOLDOWN
        return min(COOLDOWN, FIRST_COOLDOWN * 2.0 ** min(self._failures - 1, 10))

    def _is_resting(self, cause: str, now: float) -> bool:
        """Whether no refresh may start: after a failure none, after one for an unknown kid none of those."""
        return self._rest("failure", now) > 0 or (cause == "unknown_kid" and self._rest(cause, now) > 0)

    def _is_due(self, now: float) -> bool:
        key_set = self.key_set
        return key_set is None or not key_set.fetched_at <= now < key_set.refresh_at

    def join(self, cause: Cause) -> Refresh | None:
        """The refresh under way, or a new one; None within the cooldown."""
        refresh = self._refresh
        if refresh is not None:
            if not refresh.ticket.is_overdue:
                return refresh
            self._give_up(refresh)
        return self._start(cause, self.clock())

    def _outcome(self) -> float | None:
        now = self.clock()
        rest = self._rest("failure", now)
        if rest > 0:
            return rest
        key_set = self.key_set
        return None if key_set is not None and now < key_set.usable_until else 1.0

    def _start(self, cause: str, now: float) -> Refresh | None:
        if self._is_resting(cause, now):
            return None  # without the lock: most requests of an outage end here
        with self._lock:
            if self._refresh is not None:
                return self._refresh
            if self._is_resting(cause, now) or (cause == "missing" and self._outcome() is None):
                return None  # since the caller looked, a refresh has failed, or has brought keys
            if cause == "ahead" and not self._is_due(now):
                return None
            refresh = self._refresh = Refresh(self._timeout)
            if cause == "unknown_kid":
                self._quiet_since[cause] = now
        self._stuck = [thread for thread in self._stuck if thread.is_alive()]
        if len(self._stuck) >= MAX_STUCK_REFRESHES:
            message = f"{len(self._stuck)} earlier refreshes have not come back yet"
            self._settle(refresh, FetchFailed("stuck", message))
            return refresh
        refresh.thread = threading.Thread(
            target=self._run, args=(refresh,), name=f"bearerguard refresh {self.origin}", daemon=True
        )
        try:
            refresh.thread.start()
        except RuntimeError as problem:  # no more threads, or the interpreter is ending
            self._settle(refresh, FetchFailed("thread", f"no thread could be started: {problem}"))
        return refresh

    def _run(self, refresh: Refresh) -> None:
        """The body of the refresh thread."""
        outcome: Fetched | FetchFailed
        try:
            if self._client is not None:
                refresh.session = self._client.session()
            try:
                flow = fetch_keys(self.origin, self.key_set, in_haste=self._in_haste)
                outcome = run_fetch(flow, refresh.session)
            finally:
                if refresh.session is not None:
                    refresh.session.abort()
        except FetchFailed as failure:
            outcome = failure
        except Exception as unexpected:
            # A defect must not leave a ticket pending for ever, nor take the keys in hand away.
            _logger.debug("refreshing the keys of %s failed unexpectedly", self.origin, exc_info=True)
            outcome = FetchFailed("unexpected", repr(unexpected)[:300])
        self._settle(refresh, outcome)

    def _give_up(self, refresh: Refresh) -> None:
        """Fail a refresh that is overdue; what its thread brings later is thrown away."""
        message = f"{self.origin} did not answer within {self._timeout:g} s"
        if not self._settle(refresh, FetchFailed("timeout", message)):
            return
        if refresh.thread is not None:
            self._stuck.append(refresh.thread)
        if refresh.session is not None:
            refresh.session.abort()

    def _settle(self, refresh: Refresh, outcome: Fetched | FetchFailed) -> bool:
        """End a refresh, once: swap the snapshot, or note the failure and keep everything."""
        now = self.clock()
        with self._lock:
            if self._refresh is not refresh:
                return False
            if isinstance(outcome, Fetched):
                self.key_set = self._dated(outcome, now)
                if outcome.doubt is not None:
                    self.last_failure = Failure(now, outcome.doubt.kind, str(outcome.doubt))
                self._failures = 0
                self._quiet_since.pop("failure", None)
            else:
                self._failures += 1
                self.last_failure = Failure(now, outcome.kind, str(outcome))
                self._quiet_since["failure"] = now
            self._in_haste = isinstance(outcome, FetchFailed) and outcome.kind == "timeout"
            self._refresh = None
        self._tell(outcome)
        refresh.ticket.finish()
        return True

    def _dated(self, fetched: Fetched, now: float) -> KeySet:
        return dated(
            fetched.keys,
            fetched_at=now,
            lifetime=lifetime_of(fetched.max_age, self.lifetime),
            chance=self._chance(),
            etag=fetched.etag,
            address=fetched.address,
        )

    def _tell(self, outcome: Fetched | FetchFailed) -> None:
        """Log what happened; the same trouble once, until it has passed."""
        if isinstance(outcome, FetchFailed):
            self._warn_once(outcome.kind, "could not be refreshed (%s): %s", outcome.kind, outcome)
            return
        doubt = outcome.doubt
        self._told &= {*outcome.left_out, *(() if doubt is None else (doubt.kind,))}
        for sentence in outcome.left_out:
            self._warn_once(sentence, "%s", sentence)
        if doubt is not None:
            self._warn_once(doubt.kind, "came from where they were before (%s): %s", doubt.kind, doubt)
        _logger.info("keys of %s refreshed: %d keys", self.origin, len(outcome.keys.all))

    def _warn_once(self, trouble: str, message: str, *values: object) -> None:
        if trouble not in self._told:
            self._told.add(trouble)
            _logger.warning("keys of %s " + message, self.origin, *values)  # noqa: G003 - made of constants

    def forget_threads(self) -> None:
        """In a forked child: the thread of a refresh under way stayed in the parent, and so did its lock."""
        self._lock = threading.Lock()
        self._refresh = None
        self._stuck = []


def _import_backends() -> None:
    """Import what waiting takes now, so that the first request that waits does not do it on its loop."""
    for backend in ("asyncio", "trio"):
        if backend in sys.modules:
            importlib.import_module(f"anyio._backends._{backend}")


_living: weakref.WeakSet[RemoteKeySource] = weakref.WeakSet()


def _after_fork() -> None:
    for source in list(_living):
        source.forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
