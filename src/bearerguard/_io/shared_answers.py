"""What one provider said of tokens, as a fleet shares it: one process asks, the others believe it as long.

An answer is sealed under the name of its token and of who asked; the time of asking stands inside, is judged
by our clock, and counts against the budget of whoever reads it. Nothing here judges a token.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import msgspec

from bearerguard._flows.effects import Answered, SharedValues
from bearerguard._io.ticket import Ticket
from bearerguard._jose.json_object import decode_object
from bearerguard._limits import INACTIVE_REMEMBERED, LEADER_LOOKS, LEADER_SECONDS, SHARED_ANSWER_LEEWAY
from bearerguard.provider import Introspection, Provider


class SharedAnswers:
    """What the processes of a fleet tell each other of one provider's answers.

    Args:
        values: where they tell it.
        provider: whose answers.
        introspection: how it is asked.
        clock: seconds since 1970.
        pause: waits so many seconds.
    """

    def __init__(
        self,
        values: SharedValues,
        provider: Provider,
        introspection: Introspection,
        *,
        clock: Callable[[], float],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._values, self._clock, self._pause = values, clock, pause
        self._budget = introspection.revocation_budget
        # Who is asked, by whom, and how an answer is read: another client may be told something else.
        asked = (provider.issuer, introspection.url, introspection.client_id, introspection.signed)
        self._of = repr((*asked, provider.audience_claim)).encode()

    @contextmanager
    def turn(self, digest: bytes, ticket: Ticket) -> Generator[Answered | None]:
        """Have one process ask at a time: what another one was told, or None for the one that is to ask.

        Whoever asks is waited for shortly.

        Args:
            digest: the SHA-256 of the token.
            ticket: of the question, which may be given up meanwhile.
        """
        name = self._name(digest)
        found, word, looks = self._known(name), None, iter(LEADER_LOOKS)
        while found is None and word is None:
            word = self._values.lead(name, LEADER_SECONDS)
            if word is None:
                rest = next(looks, None)
                if rest is None or ticket.is_overdue:
                    break
                self._pause(rest)
            # Who leads looks as well: another one may have led, been told and let go just before.
            found = self._known(name)
        try:
            yield found
        finally:
            if word is not None:
                self._values.let_go(name, word)

    def put(self, digest: bytes, answered: Answered, asked_at: float) -> None:
        """Tell the others what was answered, for as long as they may believe it."""
        claims = answered.claims
        seconds = INACTIVE_REMEMBERED if claims is None else self._budget
        expires = None if claims is None else claims.get("exp")
        if expires is not None:
            seconds = min(seconds, expires - self._clock())
        try:
            value = msgspec.json.encode({"asked_at": asked_at, "claims": claims})
        except (ValueError, OverflowError):  # a number that JSON has and msgspec does not write
            return
        self._values.put(self._name(digest), value, seconds)

    def _known(self, name: str) -> Answered | None:
        value = self._values.get(name)
        if value is None:
            return None
        now = self._clock()
        try:
            told = decode_object(value)
            asked_at, claims = float(told["asked_at"]), told["claims"]
        except (KeyError, TypeError, ValueError):
            return None
        budget = INACTIVE_REMEMBERED if claims is None else self._budget
        if not asked_at - SHARED_ANSWER_LEEWAY <= now < asked_at + budget or not _is_claims(claims):
            return None
        return Answered(claims, min(asked_at, now))

    def _name(self, digest: bytes) -> str:
        return self._values.name("i", self._of, digest)


def _is_claims(claims: Any) -> bool:
    return claims is None or isinstance(claims, dict)
