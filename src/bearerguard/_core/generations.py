"""A bounded memory with two generations: what was used lately stays, the rest goes, at no pause.

Keeps at least the `limit` entries used last and never twice as many. Losing an entry is always allowed, so
threads share it without a lock: each step is one operation on a dict.
"""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Generations(Generic[K, V]):
    """A mapping that forgets what was not asked for while `limit` other entries were."""

    __slots__ = ("_limit", "_old", "_young")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, key: K) -> V | None:
        """Return what is remembered for `key`, and remember it longer."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Remember `value`; the generation before the last is forgotten when this one is full."""
        young = self._young
        young[key] = value
        if len(young) >= self._limit:
            self._old = young
            self._young = {}
