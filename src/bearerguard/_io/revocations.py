"""What a server knows of revocations: the list, and whoever keeps it.

In memory, a revocation is known to this process and to no other.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

from bearerguard._core.denylist import Denylist, Entry, Naming, plain_name
from bearerguard._flows.revocation import Revoked
from bearerguard._io.fork import forget_locks
from bearerguard._limits import LOGOUT_TOKEN_AGE, MAX_REVOCATIONS, MAX_SPENT_LOGOUTS
from bearerguard.errors import ProviderUnavailable
from bearerguard.revocation import Revocation

WHILE_FULL = 60.0
"""Seconds after which a list that is full may have place again."""


class Revocations:
    """The revocations of one process, in memory.

    Args:
        revocation: what is asked for.
        clock: seconds since 1970.
        naming: makes the names of entries.
        limit: how many are held.
    """

    def __init__(
        self,
        revocation: Revocation,
        clock: Callable[[], float],
        naming: Naming = plain_name,
        limit: int = MAX_REVOCATIONS,
    ) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._spent: dict[bytes, float] = {}
        self._look_at = -math.inf
        forget_locks(self)
        self.list = Denylist(revocation.horizon, naming, limit)
        opens = revocation.dangerously_accept_unheard_revocations
        self.revoked = Revoked(self.list, self, opens=opens)

    def write(self, entry: Entry) -> None:
        """Revoke; return when every request that begins afterwards is refused.

        Raises:
            ProviderUnavailable: `revocation_store`: it cannot be noted.
        """
        if not self.note(entry):
            raise unwritten(WHILE_FULL)

    async def write_async(self, entry: Entry) -> None:
        """The same as `write`, for a task."""
        self.write(entry)

    def note(self, entry: Entry) -> bool:
        """Put an entry on the list; return whether it is there."""
        with self._lock:
            noted = self.list.add(entry, self._clock())
            self._open_or_shut()
        return noted

    def spend(self, name: bytes, seconds: float) -> bool:
        """Use up what is good once, and remember that for so many seconds; False where it was used before.

        Raises:
            ProviderUnavailable: `revocation_store`: it cannot be noted.
        """
        now = self._clock()
        with self._lock:
            if now >= self._look_at or len(self._spent) >= MAX_SPENT_LOGOUTS:
                self._spent = {one: until for one, until in self._spent.items() if now < until}
                self._look_at = now + LOGOUT_TOKEN_AGE
            if self._spent.get(name, now) > now:
                return False
            if len(self._spent) >= MAX_SPENT_LOGOUTS:
                raise unwritten(LOGOUT_TOKEN_AGE)
            self._spent[name] = now + seconds
        return True

    async def spend_async(self, name: bytes, seconds: float) -> bool:
        """The same as `spend`, for a task."""
        return self.spend(name, seconds)

    def hear(self) -> float | None:
        """Return None, as nobody else revokes anything; or when there may be place in a list that is full."""
        with self._lock:
            self.list.forget(self._clock())
            self._open_or_shut()
            return WHILE_FULL if self.list.is_full else None

    async def hear_async(self) -> float | None:
        """The same as `hear`, for a task."""
        return self.hear()

    def _open_or_shut(self) -> None:
        self.list.until = -math.inf if self.list.is_full else math.inf

    def is_heard(self) -> bool:
        """Whether requests are told of all revocations, for readiness. Never waits."""
        return self.hear() is None

    def health(self) -> dict[str, Any]:
        """Return how many entries there are, and whether there is place for more; ready for `json.dumps`."""
        return {"entries": len(self.list), "full": self.list.is_full}

    def close(self) -> None:
        """Do nothing: nobody waits, and nothing is open."""


def unwritten(retry_after: float) -> ProviderUnavailable:
    """Say that a revocation was not made: whoever asked for it has to ask again."""
    return ProviderUnavailable(
        "The revocation could not be noted right now: it is not in force.",
        retry_after=retry_after,
        reason="revocation_store",
    )
