"""When something that is fetched may be asked for again: cooldowns, by what was tried and how it went.

A small frozen state and pure functions of the time. It knows neither what is fetched nor who waits for it, so
it can break the circuit to a provider's keys, or to anything else of the provider's.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from bearerguard._limits import COOLDOWN, FIRST_COOLDOWN, SIGNATURE_COOLDOWN

Reason: TypeAlias = Literal["missing", "unknown_kid", "signature", "ahead"]
"""Why something is asked for. Requests wait for the first two, and are refused without them."""


class RefreshSchedule(msgspec.Struct, frozen=True):
    """What has been tried so far. All times are seconds of the server's clock.

    Attributes:
        failures: how many have failed in a row.
        failed_at: when the last of these did.
        failed_in_wait_at: when the last one failed that requests were waiting for. A failure that nobody
            saw puts off what nobody waits for, and never a request: it may be hours old.
        unknown_kid_at: when one was last begun for a key that nobody knew.
        signature_at: when one was last begun for a signature that did not verify.
    """

    failures: int = 0
    failed_at: float | None = None
    failed_in_wait_at: float | None = None
    unknown_kid_at: float | None = None
    signature_at: float | None = None

    def rest(self, reason: Reason, now: float, *, in_hand: bool) -> float:
        """Return for how many seconds nothing may be begun for this reason; 0 where it may.

        Args:
            reason: what for.
            now: seconds of the server's clock.
            in_hand: whether there is something that can be used meanwhile.
        """
        is_waited_for = reason in ("missing", "unknown_kid")
        failed_at = self.failed_in_wait_at if is_waited_for else self.failed_at
        rest = _remaining(failed_at, _after_failures(self.failures, in_hand=in_hand), now)
        if reason == "unknown_kid":
            rest = max(rest, _remaining(self.unknown_kid_at, COOLDOWN, now))
        elif reason == "signature":
            rest = max(rest, _remaining(self.signature_at, SIGNATURE_COOLDOWN, now))
        return rest

    def begun(self, reason: Reason, now: float) -> RefreshSchedule:
        """Return the state after one was begun for this reason: those that strangers cause have cooldowns."""
        if reason == "unknown_kid":
            return msgspec.structs.replace(self, unknown_kid_at=now)
        if reason == "signature":
            return msgspec.structs.replace(self, signature_at=now)
        return self

    def failed(self, at: float, *, waited_at: float | None) -> RefreshSchedule:
        """Return the state after a failure.

        Args:
            at: when it failed; one that was given up late failed at its deadline.
            waited_at: when a request was last known to wait for it; None where none did.
        """
        return msgspec.structs.replace(
            self,
            failures=self.failures + 1,
            failed_at=at,
            failed_in_wait_at=self.failed_in_wait_at if waited_at is None else waited_at,
        )

    def succeeded(self) -> RefreshSchedule:
        """Return the state after a success: earlier failures do not count any more."""
        return msgspec.structs.replace(self, failures=0, failed_at=None, failed_in_wait_at=None)


def _after_failures(failures: int, *, in_hand: bool) -> float:
    """How long to leave a provider alone after so many failures in a row, in seconds.

    With nothing in hand every request is refused, so a failure counts for less at first: 1 s, then twice that
    each time. An API that starts just before its provider is there as soon as that is.
    """
    if in_hand:
        return COOLDOWN
    return min(COOLDOWN, FIRST_COOLDOWN * 2.0 ** min(failures - 1, 10))


def _remaining(since: float | None, cooldown: float, now: float) -> float:
    """Seconds of a cooldown that are left. A clock that was set back does not prolong it."""
    if since is None or now < since:
        return 0.0
    return max(0.0, cooldown - (now - since))
