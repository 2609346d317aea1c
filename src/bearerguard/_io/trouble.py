"""What a log says of a provider that cannot be asked about tokens: the same trouble once, not each time."""

from __future__ import annotations

import logging

from bearerguard._flows.effects import Answered, FetchFailed, QuestionFailed
from bearerguard._limits import QUIET

_logger = logging.getLogger("bearerguard")


class Trouble:
    """Tells of the trouble with one provider.

    Args:
        name: of the provider.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        # By trouble: when it was logged, and how often it was met since.
        self._told: dict[str, tuple[float, int]] = {}

    def tell(self, outcome: Answered | FetchFailed, now: float) -> None:
        """Log the same trouble once until an answer was accepted; one of our own making, each minute."""
        if isinstance(outcome, Answered):
            if outcome.asked_at is None:
                self._told.clear()
            return
        is_ours = isinstance(outcome, QuestionFailed) and outcome.is_ours
        # All that is ours is one trouble: it takes somebody to mend the configuration.
        trouble = "ours" if is_ours else outcome.kind
        told_at, count = self._told.get(trouble, (None, 0))
        count += 1
        if told_at is not None and (not is_ours or told_at <= now < told_at + QUIET):
            self._told[trouble] = (told_at, count)
            return
        self._told[trouble] = (now, 0)
        level = logging.ERROR if is_ours and told_at is None else logging.WARNING
        often = f" ({count} times since it was last told)" if count > 1 else ""
        message = "provider %r cannot be asked about tokens (%s): %s%s"
        extra = {"provider": self._name, "count": count}
        _logger.log(level, message, self._name, outcome.kind, outcome, often, extra=extra)
