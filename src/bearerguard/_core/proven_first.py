"""A bounded memory in which what has proven itself is never pushed out by what has not.

Two parts, each with the least recently used first. What is new begins in the small part, where only others
that are new push it out; what has proven itself moves to the large one. So a flood of names that anybody can
make up costs nobody who is known. It knows no thread: whoever shares one holds a lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

V = TypeVar("V")


class ProvenFirst(Generic[V]):
    """Values by name.

    Args:
        proven: how many that have proven themselves are kept.
        new: how many that have not.
    """

    def __init__(self, *, proven: int, new: int) -> None:
        self._bounds = proven, new
        self._proven: dict[str, V] = {}
        self._new: dict[str, V] = {}

    def get(self, name: str) -> V | None:
        """Return a value, which is then the most recently used of its part."""
        for part in (self._proven, self._new):
            if name in part:
                value = part[name] = part.pop(name)
                return value
        return None

    def add(self, name: str, value: V) -> list[V]:
        """Keep a value that has not proven itself; return those that are pushed out."""
        self._new[name] = value
        return self._cut(self._new, self._bounds[1])

    def prove(self, name: str) -> list[V]:
        """Move a value to those that have proven themselves; return those that are pushed out."""
        if name in self._new:
            self._proven[name] = self._new.pop(name)
        return self._cut(self._proven, self._bounds[0])

    def remove(self, name: str) -> None:
        """Forget a value, if it is there."""
        self._new.pop(name, None)
        self._proven.pop(name, None)

    def unproven(self) -> Iterator[V]:
        """The values that have not proven themselves."""
        return iter(tuple(self._new.values()))

    def __iter__(self) -> Iterator[V]:
        return iter((*self._proven.values(), *self._new.values()))

    def __len__(self) -> int:
        return len(self._proven) + len(self._new)

    @staticmethod
    def _cut(part: dict[str, V], bound: int) -> list[V]:
        return [part.pop(next(iter(part))) for _ in range(len(part) - bound)]
