"""An issuer's metadata: fetched once, kept, and asked by all who need it.

`known` is a look that never waits. Verifying a token never waits for metadata: it waits for keys, and the
fetch that discovers those leaves here what it found on its way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from bearerguard._core.refresh_schedule import Reason, RefreshSchedule
from bearerguard._flows.discovery import discover
from bearerguard._flows.effects import FetchFailed
from bearerguard._io.drive import run_fetch
from bearerguard._io.http import HttpClient
from bearerguard._io.single_flight import Flight, SingleFlight
from bearerguard._limits import KEY_SET_LIFETIME, METADATA_LIFETIME

Metadata = Mapping[str, Any]

_logger = logging.getLogger("bearerguard")


class MetadataSource(SingleFlight[dict[str, Any]]):
    """The metadata of one issuer.

    Args:
        issuer: an address that may be asked.
        client: what fetches them.
        clock: seconds since 1970.
        at: where it is asked, where that does not follow from the issuer.
    """

    operation: ClassVar[str] = "metadata"

    def __init__(
        self, issuer: str, *, client: HttpClient, clock: Callable[[], float], at: str | None = None
    ) -> None:
        super().__init__(issuer, clock=clock, seconds=client.timeout)
        self.known: Metadata | None = None
        self._client = client
        self._at = at
        self._known_at = 0.0
        self._schedule = RefreshSchedule()
        self._told: str | None = None
        self._patience_lost = 0.0

    def recent(self, now: float) -> Metadata | None:
        """The metadata, if they are so new that nobody needs to ask again."""
        return self.known if self._is_younger_than(KEY_SET_LIFETIME, now) else None

    def keep(self, metadata: Metadata, now: float) -> None:
        """Keep what somebody else was told by the issuer."""
        with self._lock:
            self._keep(metadata, now)

    def wait(self, patience: float) -> Metadata | None:
        """Return the metadata, None where they cannot be had; block the thread meanwhile.

        Where they are known nobody waits: old ones are asked for again in the background. So is an issuer
        that said nothing to somebody as patient, until it answers: it holds up one document, not each.

        Args:
            patience: wait no longer than these seconds.
        """
        flight = self._join(patience)
        if flight is not None:
            self.wait_until_over(flight, "ahead", patience)
            self._note_patience(flight, patience)
        return self.known

    def need(self, patience: float) -> Metadata | None:
        """The same as `wait`, for those who can do nothing without: it is tried again as soon as for keys."""
        if self.known is not None:
            self.ask_ahead()
            return self.known
        flight = self.join("missing")
        if flight is not None:
            self.wait_until_over(flight, "missing", patience)
        return self.known

    async def wait_async(self, patience: float) -> Metadata | None:
        """The same for a task of any event loop."""
        flight = self._join(patience)
        if flight is not None:
            await self.await_until_over(flight, "ahead", patience)
            self._note_patience(flight, patience)
        return self.known

    def _join(self, patience: float) -> Flight | None:
        """The question to wait for; None where nobody needs to, or has just done so in vain."""
        if self.known is None and patience > self._patience_lost:
            return self.join("ahead")
        self.ask_ahead()
        return None

    def _note_patience(self, flight: Flight, patience: float) -> None:
        if self._flight is flight:
            self._patience_lost = max(patience, self._patience_lost)

    # -- the question --------------------------------------------------------------------------------

    def _may_begin(self, reason: Reason, now: float) -> bool:
        is_due = not self._is_younger_than(METADATA_LIFETIME, now)
        return is_due and self._schedule.rest(reason, now, in_hand=reason != "missing") <= 0

    def _is_younger_than(self, seconds: float, now: float) -> bool:
        return self.known is not None and self._known_at <= now < self._known_at + seconds

    def _begun(self, reason: Reason, now: float) -> None:
        self._schedule = self._schedule.begun(reason, now)

    def _ask(self, flight: Flight) -> dict[str, Any]:
        flight.session = self._client.session()
        return run_fetch(discover(self._subject, at=self._at), flight.session)

    def _learn(self, outcome: dict[str, Any] | FetchFailed, *, at: float, waited_at: float | None) -> None:
        if isinstance(outcome, FetchFailed):
            self._schedule = self._schedule.failed(at, waited_at=waited_at)
        else:
            self._keep(outcome, at)

    def _keep(self, metadata: Metadata, now: float) -> None:
        self.known, self._known_at = MappingProxyType(dict(metadata)), now
        self._patience_lost = 0.0
        self._schedule = self._schedule.succeeded()

    def _tell(self, outcome: dict[str, Any] | FetchFailed) -> None:
        kind = outcome.kind if isinstance(outcome, FetchFailed) else None
        if kind is not None and kind != self._told:
            _logger.warning("metadata of %s could not be fetched (%s): %s", self._subject, kind, outcome)
        self._told = kind
