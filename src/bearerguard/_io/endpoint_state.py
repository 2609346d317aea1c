"""What we know of a provider's introspection endpoint, and when we leave it alone for a while."""

from __future__ import annotations

from typing import Any

from bearerguard._core.breaker import Breaker
from bearerguard._flows.effects import Answered, FetchFailed, QuestionFailed, Unanswered
from bearerguard._limits import RETRY_AFTER_TROUBLE

_NOT_THE_PROVIDERS = frozenset({"busy", "closed", "thread"})
"""Kinds of failures that say nothing of the provider: it was not asked."""


class EndpointState:
    """What is known of one endpoint. Not safe to share: whoever has it has a lock.

    Times are seconds since 1970.
    """

    def __init__(self) -> None:
        self._breaker = Breaker()
        self._is_misconfigured = False
        self._last_success: float | None = None
        self._last_failure: dict[str, Any] | None = None

    def rest(self, now: float) -> float:
        """Return for how many seconds it is left alone; 0 where it is asked."""
        return self._breaker.rest(now)

    @property
    def is_probed(self) -> bool:
        """Whether who asks next finds out if it answers again."""
        return self._breaker.opened_at is not None

    def begun(self) -> None:
        """A question begins."""
        self._breaker = self._breaker.begun()

    def without_probe(self) -> None:
        """Nobody will say what came of the question that was to find out."""
        self._breaker = self._breaker.without_probe()

    def learn(self, outcome: Answered | FetchFailed, now: float, *, is_probe: bool) -> Answered | Unanswered:
        """Return what a question's end means for those who wait for it."""
        if isinstance(outcome, Answered):
            if outcome.asked_at is None:
                self._breaker = self._breaker.succeeded()
                self._last_success, self._is_misconfigured = now, False
            elif is_probe:  # another process was told so: this provider was not asked
                self.without_probe()
            return outcome
        if outcome.kind not in _NOT_THE_PROVIDERS:
            self._breaker = self._breaker.failed(now, is_probe=is_probe)
            self._last_failure = {"at": now, "reason": outcome.kind, "message": str(outcome)}
            if isinstance(outcome, QuestionFailed) and outcome.is_ours:
                self._is_misconfigured = True
        elif is_probe:
            self.without_probe()
        retry_after = outcome.retry_after if isinstance(outcome, QuestionFailed) else None
        return Unanswered(RETRY_AFTER_TROUBLE if retry_after is None else retry_after)

    def report(self, now: float, under_way: int) -> dict[str, Any]:
        """Return it as plain values.

        `state` is `unasked`, `working`, `failing` (since the last answer), or `misconfigured`: the provider
        refuses how this API asks, or does not sign its answers.
        """
        return {
            "state": self._state(),
            "last_success": self._last_success,
            "last_failure": self._last_failure,
            "rests_for": self._breaker.rest(now),
            "under_way": under_way,
        }

    def _state(self) -> str:
        if self._is_misconfigured:
            return "misconfigured"
        if self._breaker.failures:
            return "failing"
        return "unasked" if self._last_success is None else "working"
