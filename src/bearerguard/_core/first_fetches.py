"""How many unknown places may be asked for the first time: so many at once, and so many in a minute.

What a token names chooses whom to ask, so strangers could have the API ask many. The bound is a frozen state
with pure functions of the time, as that of refreshes is.
"""

from __future__ import annotations

from msgspec import Struct

MINUTE = 60.0


class FirstFetches(Struct, frozen=True):
    """When first fetches were begun.

    Attributes:
        at_once: how many may be under way.
        a_minute: how many may begin in a minute.
        begun: when those of the last minute began, in seconds since 1970.
    """

    at_once: int
    a_minute: int
    begun: tuple[float, ...] = ()

    def begin(self, now: float, under_way: int) -> FirstFetches | None:
        """Return the state with one more begun; None where it may not be.

        Args:
            now: seconds since 1970. Times that are ahead of it count: the clock was set back.
            under_way: how many of those begun are not over yet.
        """
        recent = tuple(begun for begun in self.begun if now - begun < MINUTE)
        if under_way >= self.at_once or len(recent) >= self.a_minute:
            return None
        return FirstFetches(self.at_once, self.a_minute, (*recent, now))

    def rest(self, now: float) -> float:
        """Return the seconds after which to try again: until the oldest is a minute old, at least one."""
        if len(self.begun) < self.a_minute:
            return 1.0
        return min(max(1.0, self.begun[0] + MINUTE - now), MINUTE)
