"""The key source of keys that are fetched: what a refresh asks, and what its outcome changes.

A refresh swaps the snapshot by one assignment or changes nothing at all. `RefreshSchedule` says when one may
begin, `SingleFlight` how it runs. Nothing here judges a token.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, ClassVar

import msgspec

from bearerguard._core.refresh_schedule import Reason, RefreshSchedule
from bearerguard._flows.effects import Cause, FetchFailed
from bearerguard._flows.key_fetch import Fetched, Origin, fetch_keys
from bearerguard._io.drive import run_fetch
from bearerguard._io.http import HttpClient
from bearerguard._io.single_flight import Flight, SingleFlight
from bearerguard._jose.key_set import KeySet, dated, lifetime_of
from bearerguard._limits import FETCH_TIMEOUT, MAX_PATIENT_THREADS, UNKNOWN_KID_PATIENCE

if TYPE_CHECKING:
    from bearerguard._io.metadata import MetadataSource
    from bearerguard._io.shared_keys import SharedKeys

_logger = logging.getLogger("bearerguard")


class Failure(msgspec.Struct, frozen=True):
    """Why a refresh brought nothing, and when, in seconds of the server's clock."""

    at: float
    kind: str
    message: str


class Adopted(msgspec.Struct, frozen=True):
    """What another process of the fleet got."""

    key_set: KeySet


class RemoteKeySource(SingleFlight["Fetched | Adopted"]):
    """A key source that fetches.

    Args:
        origin: where the keys are.
        client: what fetches them; None where a function is called.
        clock: seconds since 1970, the same clock that claims are checked by.
        lifetime: seconds for which keys are fresh; None leaves it to the provider's `Cache-Control`.
        metadata: the issuer's metadata, where keys are discovered from it.
        chance: a source of random numbers from 0 to 1.
        patience: for how many seconds a request waits for newer keys while there are keys in hand.
        shared: what the processes of a fleet tell each other of these keys; None where nobody shares them.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        client: HttpClient | None,
        clock: Callable[[], float],
        lifetime: float | None = None,
        metadata: MetadataSource | None = None,
        chance: Callable[[], float] = random.random,
        patience: float = UNKNOWN_KID_PATIENCE,
        shared: SharedKeys | None = None,
    ) -> None:
        seconds = FETCH_TIMEOUT if client is None else client.timeout
        super().__init__(str(origin), clock=clock, seconds=seconds)
        self.origin = origin
        self.client = client
        self.key_set: KeySet | None = None
        self.last_failure: Failure | None = None
        self.lifetime = lifetime
        self.patience = patience
        self._metadata = metadata
        self._chance = chance
        self._shared = shared
        self._schedule = self._schedule_before = RefreshSchedule()
        self._in_haste = False
        self._told: set[str] = set()
        self._places = threading.BoundedSemaphore(MAX_PATIENT_THREADS)

    operation: ClassVar[str] = "keys"

    # -- asked by the pipeline -----------------------------------------------------------------------

    def refresh_ahead(self, now: float) -> None:  # noqa: ARG002 - it may be read before a refresh ended
        """Start a refresh that nobody waits for, if one may be started now. Never blocks, never raises."""
        self.ask_ahead()

    def wait(self, cause: Cause) -> float | None:
        """Wait, blocking the thread, until the keys are as new as they can be had.

        Without keys in hand that is until the refresh ends. With keys in hand it is shortly, and few threads
        do so at a time: those who have a key are never behind those who have not.

        Returns:
            None when they are; where they are not, the seconds after which to try again.
        """
        if cause == "missing":
            return self.wait_for(self.join(cause))
        if not self._is_worth_waiting(cause):
            return self._outcome()
        places = self._places
        if not places.acquire(blocking=False):
            return 1.0
        try:
            flight = self.join(cause)
            if flight is not None:
                self.wait_until_over(flight, cause, self.patience)
        finally:
            places.release()
        return self._outcome(flight)

    async def wait_async(self, cause: Cause) -> float | None:
        """The same for a task of any event loop. A task holds no thread, so all may wait."""
        if cause == "missing":
            return await self.await_for(self.join(cause))
        flight = self.join(cause)
        if flight is not None:
            await self.await_until_over(flight, cause, self.patience)
        return self._outcome(flight)

    def wait_for(self, flight: Flight | None) -> float | None:
        """Wait for a refresh that was joined because keys are missing, for as long as it may take."""
        if flight is not None:
            self.wait_until_over(flight, "missing")
        return self._outcome()

    async def await_for(self, flight: Flight | None) -> float | None:
        """The same for a task of any event loop."""
        if flight is not None:
            await self.await_until_over(flight, "missing")
        return self._outcome()

    def _is_worth_waiting(self, cause: Cause) -> bool:
        """Whether newer keys are on their way, or may be sent for."""
        return self._flight is not None or self._may_begin(cause, self.clock())

    def _outcome(self, waited_for: Flight | None = None) -> float | None:
        """None where there are keys as new as can be had, else the seconds after which to try again.

        Args:
            waited_for: the refresh that was waited for, which may be under way still, or have failed.
        """
        now = self.clock()
        rest = self._schedule.rest("missing", now, in_hand=self.is_usable(now))
        if rest > 0:
            return rest
        if waited_for is not None and (waited_for.has_failed or self._flight is waited_for):
            return 1.0
        return None if self.is_usable(now) else 1.0

    def is_usable(self, now: float) -> bool:
        """Whether there are keys in hand that are not too old."""
        key_set = self.key_set
        return key_set is not None and now < key_set.usable_until

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
        allowed = now + self._schedule.rest("ahead", now, in_hand=self.is_usable(now))
        return max(due, allowed) if isfinite(due) else None

    # -- the refresh ---------------------------------------------------------------------------------

    def _may_begin(self, reason: Reason, now: float) -> bool:
        in_hand = self.is_usable(now)
        if reason == "missing" and in_hand:
            return False
        if reason == "ahead" and not self._is_due(now):
            return False
        return self._schedule.rest(reason, now, in_hand=in_hand) <= 0

    def _is_due(self, now: float) -> bool:
        key_set = self.key_set
        return key_set is None or not key_set.fetched_at <= now < key_set.refresh_at

    def _begun(self, reason: Reason, now: float) -> None:
        self._schedule_before = self._schedule
        self._schedule = self._schedule.begun(reason, now)

    def _ask(self, flight: Flight) -> Fetched | Adopted:
        shared = self._shared
        if shared is None:
            return self._fetch(flight)
        will_do = partial(self._will_do, reason=flight.reason)
        found = shared.newer(self)
        if found is not None and will_do(found):
            return Adopted(found)
        with shared.turn(self, flight.ticket, self._timeout, will_do=will_do) as got:
            if got is not None:
                return Adopted(got)
            asked_at = self.clock()
            try:
                fetched = self._fetch(flight)
            except FetchFailed:
                if found is None or flight.reason != "missing":
                    raise
                return Adopted(found)  # it is due, and better than nothing
            shared.publish(self._dated(fetched, asked_at))
            return fetched

    def _will_do(self, key_set: KeySet, reason: Reason) -> bool:
        """Whether keys that another process got make it needless to ask for them.

        For a key that nobody knows, or under which a signature does not verify, they have to be other keys.
        """
        if self.clock() >= key_set.refresh_at:
            return False
        known = self.key_set
        return reason in ("missing", "ahead") or known is None or key_set.keys is not known.keys

    def _fetch(self, flight: Flight) -> Fetched:
        if self.client is not None:
            flight.session = self.client.session()
        in_hand = None
        if self._metadata is not None and not self._schedule.failures:
            in_hand = self._metadata.recent(self.clock())
        flow = fetch_keys(self.origin, self.key_set, in_haste=self._in_haste, metadata=in_hand)
        return run_fetch(flow, flight.session)

    def _learn(self, outcome: Fetched | Adopted | FetchFailed, *, at: float, waited_at: float | None) -> None:
        if isinstance(outcome, Adopted):
            self.key_set = outcome.key_set
            # Nobody was asked here: the next may be, at once.
            self._schedule = self._schedule_before.succeeded()
        elif isinstance(outcome, Fetched):
            self.key_set = self._dated(outcome, at)
            if outcome.doubt is not None:
                self.last_failure = Failure(at, outcome.doubt.kind, str(outcome.doubt))
            self._schedule = self._schedule.succeeded()
            if self._metadata is not None and outcome.metadata is not None:
                self._metadata.keep(outcome.metadata, at)
        else:
            self.last_failure = Failure(at, outcome.kind, str(outcome))
            self._schedule = self._schedule.failed(at, waited_at=waited_at)
        self._in_haste = isinstance(outcome, FetchFailed) and outcome.kind == "timeout"

    def _dated(self, fetched: Fetched, now: float) -> KeySet:
        return dated(
            fetched.keys,
            fetched_at=now,
            lifetime=lifetime_of(fetched.max_age, self.lifetime),
            chance=self._chance(),
            etag=fetched.etag,
            address=fetched.address,
            is_whole=fetched.is_whole,
        )

    def _tell(self, outcome: Fetched | Adopted | FetchFailed) -> None:
        """Log what happened; the same trouble once, until it has passed."""
        if isinstance(outcome, FetchFailed):
            self._warn_once(outcome.kind, "could not be refreshed (%s): %s", outcome.kind, outcome)
            return
        if isinstance(outcome, Adopted):
            number = len(outcome.key_set.keys.all)
            _logger.info("keys of %s taken over from another process: %d keys", self.origin, number)
            return
        doubt = outcome.doubt
        self._told &= {*outcome.left_out, *(() if doubt is None else (doubt.kind,))}
        for sentence in outcome.left_out:
            self._warn_once(sentence, "%s", sentence)
        if doubt is not None:
            self._warn_once(doubt.kind, "came from their previous address (%s): %s", doubt.kind, doubt)
        _logger.info("keys of %s refreshed: %d keys", self.origin, len(outcome.keys.all))

    def _warn_once(self, trouble: str, message: str, *values: object) -> None:
        if trouble not in self._told:
            self._told.add(trouble)
            _logger.warning("keys of %s " + message, self.origin, *values)  # noqa: G003 - made of constants

    def forget_threads(self) -> None:
        """In a forked child: threads of the parent hold the places of those who wait shortly."""
        super().forget_threads()
        self._places = threading.BoundedSemaphore(MAX_PATIENT_THREADS)
