"""A bounded memory with two generations: what was used lately stays, the rest goes, at no pause.

Keeps at least the `limit` entries used last and never twice as many. Losing an entry is always allowed, so
threads share it without a lock: each step is one operation on a dict.
"""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Generations(Generic[K, V]):
    """A mapping that forgets what was not asked for while `limit` other entries were.

    `young` is the generation in which nearly all that is asked for again is found; only read it.
    """

    __slots__ = ("_forgotten", "_limit", "_old", "young")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._forgotten: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self.young.keys() | self._old.keys())

    def get(self, key: K) -> V | None:
        """Return what is remembered for `key`, and remember it longer."""
        value = self.young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Remember `value`; the generation before the last is forgotten when this one is full."""
        young = self.young
        young[key] = value
        if self._forgotten:
            # Freeing thousands of entries at once would be a pause: each `put` frees one.
            try:  # noqa: SIM105 - a context manager costs more than all else here
                self._forgotten.popitem()
            except KeyError:  # another thread took the last
                pass
        if len(young) >= self._limit:
            self._forgotten = self._old
            self._old = young
            self.young = {}
