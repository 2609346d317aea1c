"""A bound in bytes for several memories together: what was used lately stays, the rest goes, at no pause.

Each memory has two generations, as `generations` has; here they turn all at once, when what was put into the
younger ones of all weighs half the bound. Losing an entry is always allowed, so threads share them without a
lock: each step is one operation on a dict or a list, and an addition that is lost to another thread loosens
the bound by one entry until the generations turn.
"""

from __future__ import annotations

import weakref
from sys import getsizeof
from typing import Any, Generic, Protocol, TypeVar

from bearerguard._limits import FORGOTTEN_BYTES_AT_ONCE


class Weighed(Protocol):
    """What can be remembered: it knows its own weight."""

    weight: int
    """Bytes that it takes; what grows tells the bound."""


K = TypeVar("K")
E = TypeVar("E", bound=Weighed)


class SharedBound:
    """The bound: twice what it calls a half, for the younger generations and all that is older.

    It is looked at when `FORGOTTEN_BYTES_AT_ONCE` have come: by so much, and one entry, it may be exceeded.

    Args:
        limit: bytes.
    """

    __slots__ = ("_forgotten", "_memories", "_owed", "_young", "half")

    def __init__(self, limit: int) -> None:
        self.half: int = limit // 2
        self._young = 0
        self._owed = 0
        self._forgotten: list[dict[Any, Any]] = []
        self._memories: dict[int, weakref.ref[Generation]] = {}

    def limit(self, limit: int) -> None:
        """Change the bound, and forget everything: what was remembered so far may be too much."""
        self.half = limit // 2
        self._turn()
        self._turn()
        self._forgotten.clear()
        self._owed = 0

    def add(self, memory: Generation) -> None:
        """Have a memory turn with the others for as long as somebody holds it."""
        number, memories = id(memory), self._memories
        memories[number] = weakref.ref(memory, lambda _: memories.pop(number, None))

    def weigh(self, weight: int) -> None:
        """Take note of so many bytes more."""
        self._young += weight
        self._owed += weight
        if self._owed >= FORGOTTEN_BYTES_AT_ONCE:
            self._forget()

    def _forget(self) -> None:
        # Freeing thousands of entries at once would be a pause, and one at a time costs each `put` as much as
        # all else it does. Twice what came goes, so that all has gone before the generations turn again.
        owed, self._owed = 2 * self._owed, 0
        forgotten = self._forgotten
        while owed > 0:
            try:
                entries = forgotten.pop()  # each generation is one thread's while that frees it
            except IndexError:
                break
            try:
                while owed > 0:
                    owed -= entries.popitem()[1].weight
            except KeyError:  # nothing is left of it
                continue
            forgotten.append(entries)
        if self._young >= self.half:
            self._turn()

    def _turn(self) -> None:
        self._young = 0
        for reference in tuple(self._memories.copy().values()):
            memory = reference()
            if memory is not None and (memory.young or memory.old):
                self._forgotten.append(memory.old)
                memory.old, memory.young = memory.young, {}


class Generation:
    """What the bound knows of a memory."""

    __slots__ = ("__weakref__", "old", "young")

    def __init__(self) -> None:
        self.young: dict[Any, Any] = {}
        self.old: dict[Any, Any] = {}


class WeighedGenerations(Generation, Generic[K, E]):
    """A mapping that forgets what was not asked for while the bound was filled by others.

    `young` and `old` are for looking without a call; what is found in `old` is to be asked for by `get`.

    Args:
        bound: which it shares with others.
    """

    __slots__ = ("_bound",)

    def __init__(self, bound: SharedBound) -> None:
        super().__init__()
        self._bound = bound
        bound.add(self)

    def __len__(self) -> int:
        return len(self.young.keys() | self.old.keys())

    def get(self, key: K) -> E | None:
        """Return what is remembered for `key`, and remember it longer."""
        entry: E | None = self.young.get(key)
        if entry is None:
            entry = self.old.get(key)
            if entry is not None:
                self.put(key, entry)
        return entry

    def put(self, key: K, entry: E) -> None:
        """Remember `entry`, unless it is too heavy by itself."""
        if entry.weight <= self._bound.half:
            self.young[key] = entry
            self._bound.weigh(entry.weight)


def weight_of(value: Any) -> int:
    """Return the bytes that a value out of JSON takes, and what is made of one."""
    weight = getsizeof(value)
    if value.__class__ is dict:
        for name, member in value.items():
            weight += getsizeof(name) + weight_of(member)
    elif value.__class__ is list or value.__class__ is tuple or value.__class__ is frozenset:
        for member in value:
            weight += weight_of(member)
    return weight
