"""`MemoryReplayStore`: the proofs that this process has accepted, for as long as they could come again.

What is full refuses: a store that forgot a proof early would let it in a second time. No client can fill the
part of another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from threading import Lock

from bearerguard._flows.effects import ReplayKey
from bearerguard._limits import FORGOTTEN_AT_ONCE, MAX_PROOFS, MAX_PROOFS_OF_A_KEY
from bearerguard.errors import ProviderUnavailable, TooManyProofs

__all__ = ["MemoryReplayStore"]


class MemoryReplayStore:
    """Notes proofs in memory. Safe to share by threads and tasks; it never waits for anything but its lock.

    Another process knows nothing of what this one has noted.

    Args:
        clock: seconds since 1970.
        max_proofs: how many are held at a time.
        max_proofs_of_a_key: how many of them may be of one key.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        max_proofs: int = MAX_PROOFS,
        max_proofs_of_a_key: int = MAX_PROOFS_OF_A_KEY,
    ) -> None:
        self._clock = clock
        self._max_proofs = max_proofs
        self._max_proofs_of_a_key = max_proofs_of_a_key
        self._lock = Lock()
        self._until: dict[bytes, int] = {}
        self._of_key: dict[str, int] = {}
        # By the second in which they end. Lifetimes are short, so these are few.
        self._ending: dict[int, list[ReplayKey]] = {}
        self._soonest: float = math.inf

    def __len__(self) -> int:
        return len(self._until)

    def add(self, key: ReplayKey, seconds: float) -> bool:
        """Note a proof for so many seconds; False where it is there already.

        Raises:
            TooManyProofs: too many of this key are noted.
            ProviderUnavailable: reason `replay_store`: the memory is full.
        """
        now = self._clock()
        until = math.ceil(now + seconds)
        with self._lock:
            if self._soonest <= now:
                self._forget(now, FORGOTTEN_AT_ONCE)
            ends = self._until.get(key.digest)
            if ends is not None:
                if now < ends:
                    return False
                self._forget(now)
            if self._is_full(key):
                self._forget(now)
                if self._is_full(key):
                    raise self._refusal(key, now)
            self._until[key.digest] = until
            self._of_key[key.thumbprint] = self._of_key.get(key.thumbprint, 0) + 1
            ending = self._ending.get(until)
            if ending is None:
                ending = self._ending[until] = []
                self._soonest = min(self._soonest, until)
            ending.append(key)
            return True

    def seen(self, key: ReplayKey) -> bool:
        """Whether a proof is there."""
        ends = self._until.get(key.digest)
        return ends is not None and self._clock() < ends

    def _is_full(self, key: ReplayKey) -> bool:
        return (
            self._of_key.get(key.thumbprint, 0) >= self._max_proofs_of_a_key
            or len(self._until) >= self._max_proofs
        )

    def _refusal(self, key: ReplayKey, now: float) -> TooManyProofs | ProviderUnavailable:
        # None ends sooner than this one, of whatever key; to look for the key's own would take long.
        seconds = self._soonest - now
        if self._of_key.get(key.thumbprint, 0) >= self._max_proofs_of_a_key:
            return TooManyProofs("This key has signed too many proofs lately.", retry_after=seconds)
        return ProviderUnavailable(
            "No further proof can be noted right now.", retry_after=seconds, reason="replay_store"
        )

    def _forget(self, now: float, at_most: int | None = None) -> None:
        """Forget proofs that have ended: all, or a few for each that comes, as all at once is a pause."""
        left = len(self._until) if at_most is None else at_most
        while self._soonest <= now:
            keys = self._ending[int(self._soonest)]
            while keys:
                if not left:
                    return
                self._drop(keys.pop())
                left -= 1
            del self._ending[int(self._soonest)]
            self._soonest = min(self._ending, default=math.inf)

    def _drop(self, key: ReplayKey) -> None:
        del self._until[key.digest]
        count = self._of_key[key.thumbprint] - 1
        if count:
            self._of_key[key.thumbprint] = count
        else:
            del self._of_key[key.thumbprint]
