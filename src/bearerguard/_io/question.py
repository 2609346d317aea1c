"""A question about one token, from when somebody wants to know until it is answered or given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bearerguard._flows.effects import Answered, Unanswered
from bearerguard._io.ticket import Ticket
from bearerguard._limits import RETRY_AFTER_TROUBLE

if TYPE_CHECKING:
    from bearerguard._io.http import Session
    from bearerguard._io.watched import Watched


class Question:
    """A question under way. Its `repr` shows no token."""

    __slots__ = (
        "digest",
        "has_place",
        "is_here",
        "is_probe",
        "outcome",
        "session",
        "ticket",
        "token",
        "was_in_line",
        "was_reset",
        "watched",
    )

    def __init__(self, token: bytes, digest: bytes, seconds: float, *, is_probe: bool) -> None:
        self.token = token
        self.digest = digest
        self.ticket = Ticket(seconds)
        self.is_probe = is_probe
        self.has_place = self.was_in_line = self.was_reset = self.is_here = False
        self.session: Session | None = None
        self.watched: Watched | None = None
        self.outcome: Answered | Unanswered = Unanswered(RETRY_AFTER_TROUBLE)
