"""The keys of one origin as a fleet shares them: one process asks, the others take over what it got.

It believes what the secret of the fleet has sealed, of this origin, by the time that stands inside and by our
clock: nothing older than what is in hand, nothing past its time, nothing from the future. It fetches nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec

from bearerguard._flows.effects import SharedValues
from bearerguard._flows.key_fetch import Origin
from bearerguard._io.key_report import UNREADABLE, entry_of, key_set_in
from bearerguard._io.ticket import Ticket
from bearerguard._jose.key_set import KeySet
from bearerguard._limits import (
    DEFAULT_LEEWAY,
    LEADER_LOOKS,
    LEADER_PATIENCE,
    LEADER_SECONDS,
    MAX_KEY_SET_LIFETIME,
)


class Reader(Protocol):
    """For whom a key set is read: what is in hand, and how long keys are fresh."""

    key_set: KeySet | None
    lifetime: float | None


class SharedKeys:
    """What the processes of a fleet tell each other of one origin's keys.

    Args:
        values: where they tell it.
        origin: where the keys are from; not a function, which no other process can name.
        clock: seconds since 1970.
        chance: a source of random numbers from 0 to 1.
        pause: waits so many seconds.
    """

    def __init__(
        self,
        values: SharedValues,
        origin: Origin,
        *,
        clock: Callable[[], float],
        chance: Callable[[], float] = random.random,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._values, self._origin = values, origin
        self._clock, self._chance, self._pause = clock, chance, pause
        self._name = values.name("k", *_told_apart(origin))

    def newer(self, reader: Reader) -> KeySet | None:
        """Return the set that another process got, where it is newer than the one in hand and may be used."""
        value = self._values.get(self._name)
        if value is None:
            return None
        known, now = reader.key_set, self._clock()
        try:
            entry: Any = msgspec.json.decode(value)
            if entry["origin"] != str(self._origin) or not entry["fetched_at"] <= now + DEFAULT_LEEWAY:
                return None
            if known is not None and min(entry["fetched_at"], now) <= known.fetched_at:
                return None  # before its keys are read: in an outage everybody looks again and again
            key_set = key_set_in(
                entry, self._origin, reader.lifetime, now, chance=self._chance(), known=known
            )
        except UNREADABLE:
            return None
        if not key_set.keys.all or now >= key_set.usable_until:
            return None
        return msgspec.structs.replace(key_set, is_shared=True)

    @contextmanager
    def turn(
        self, reader: Reader, ticket: Ticket, seconds: float, *, will_do: Callable[[KeySet], bool]
    ) -> Generator[KeySet | None]:
        """Have one process ask at a time: what another one got meanwhile, or None for the one that is to ask.

        It is waited for shortly. Where the one that asks brings nothing, the next one does; where it takes
        too long, everybody does.

        Args:
            reader: for whom.
            ticket: of the refresh, which may be given up meanwhile.
            seconds: that the refresh may take in all.
            will_do: whether keys make it needless to ask.
        """
        waited, rest, looks = 0.0, 0.0, iter(LEADER_LOOKS)
        while True:
            word = self._values.lead(self._name, LEADER_SECONDS)
            # Who leads looks as well: another one may have led, published and let go just before.
            found = self.newer(reader)
            if found is not None and not will_do(found):
                found = None
            is_over = waited >= LEADER_PATIENCE * seconds or ticket.is_overdue
            if found is not None or word is not None or is_over:
                break
            rest = next(looks, rest)
            self._pause(rest)
            waited += rest
        try:
            yield found
        finally:
            if word is not None:
                self._values.let_go(self._name, word)

    def publish(self, key_set: KeySet) -> None:
        """Tell the others what was got."""
        # Keys that never grow old are told anew often enough.
        seconds = min(key_set.usable_until - self._clock(), MAX_KEY_SET_LIFETIME)
        self._values.put(self._name, msgspec.json.encode(entry_of(self._origin, key_set)), seconds)


def _told_apart(origin: Origin) -> list[bytes]:
    """All that two origins differ by, with its names: keys of one are never taken for those of another."""
    values = {name: getattr(origin, name) for name in origin.__struct_fields__}
    told = {name: sorted(value) if name == "pinned" and value else value for name, value in values.items()}
    return [type(origin).__name__.encode(), repr(sorted(told.items())).encode()]
