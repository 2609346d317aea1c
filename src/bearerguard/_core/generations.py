"""A bounded memory with two generations: what was used lately stays, the rest goes, at no pause.

Keeps at least the `limit` entries used last and never twice as many, save a few that threads put at once.
Losing an entry is always allowed, so they share it without a lock: each step is one operation on a dict.
"""

from __future__ import annotations

from math import gcd
from typing import Generic, TypeVar

from bearerguard._limits import FORGOTTEN_AT_ONCE

K = TypeVar("K")
V = TypeVar("V")


class Generations(Generic[K, V]):
    """A mapping that forgets what was not asked for while `limit` other entries were.

    `young` and `old` are for looking without a call; what is found in `old` is to be asked for by `get`.
    """

    __slots__ = ("_at_once", "_forgotten", "_limit", "old", "young")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._at_once = gcd(limit, FORGOTTEN_AT_ONCE)
        self.young: dict[K, V] = {}
        self.old: dict[K, V] = {}
        self._forgotten: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self.young.keys() | self.old.keys())

    def get(self, key: K) -> V | None:
        """Return what is remembered for `key`, and remember it longer."""
        value = self.young.get(key)
        if value is None:
            value = self.old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Remember `value`; the generation before the last is forgotten when this one is full."""
        young = self.young
        young[key] = value
        if not len(young) % self._at_once:
            self._forget()

    def _forget(self) -> None:
        # Freeing thousands of entries at once would be a pause, and one at a time costs each `put` as much as
        # all else it does.
        free = self._forgotten.popitem
        try:
            for _ in range(self._at_once):
                free()
        except KeyError:  # none is left, or another thread took the last
            pass
        if len(self.young) >= self._limit:
            self._forgotten, self.old, self.young = self.old, self.young, {}
