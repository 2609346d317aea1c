"""How often a fleet asks its provider for keys in a day: `python -m bench.fleet [--docs]`, without a network.

When a process asks, what it takes over from others and when it tries again is decided by the library itself:
by `RemoteKeySource` with its `RefreshSchedule`, `SharedKeys` and `fetch_keys`, whose clock, chance and pause
are given here. The provider, the store and the passing of time are ours. The same seed gives the same day.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import msgspec

from bearerguard._core.refresh_schedule import Reason
from bearerguard._flows.effects import FetchFailed, HttpAnswer, HttpGet
from bearerguard._flows.key_fetch import Fetched, Published, fetch_keys
from bearerguard._io.remote_keys import Adopted, RemoteKeySource
from bearerguard._io.shared_keys import SharedKeys
from bearerguard._io.single_flight import Flight
from bearerguard.testing.signing_keys import signing_key
from bench.simulated_time import Life, SimulatedTime

SIZES = (1, 10, 100, 1_000, 10_000)
HOUR = 3600.0
NOTICED = 0.01
"""A process is busy: whatever is due, a request notices it within so many seconds."""


class Day(msgspec.Struct, frozen=True):
    """What happens in the day. Times are seconds since its beginning.

    Attributes:
        seconds: how long it is.
        lifetime: `max-age` of the provider's answers.
        rotations: when the provider publishes another key, and signs with it from that moment on.
        outages: from when to when each request for keys fails.
        spread: over how many seconds the processes start, and first meet a token under a new key.
        answers_in: how long the provider takes to answer.
        fails_in: how long it takes in an outage until a connection is refused.
    """

    seconds: float = 24 * HOUR
    lifetime: float = HOUR
    rotations: tuple[float, ...] = (3 * HOUR, 9 * HOUR, 15 * HOUR, 21 * HOUR)
    outages: tuple[tuple[float, float], ...] = ((6 * HOUR, 6.5 * HOUR), (18 * HOUR, 18 * HOUR + 300))
    spread: float = 60.0
    answers_in: float = 0.1
    fails_in: float = 0.001


class Counted(msgspec.Struct, frozen=True):
    """What the provider saw: fetches that it answered, those that failed, and the most in one second."""

    answered: int
    failed: int
    most_in_a_second: int


class SimulatedProvider:
    """Publishes a key, from its rotation on another one before it, and counts who asks."""

    def __init__(self, day: Day) -> None:
        self._day = day
        keys = [signing_key("Ed25519") for _ in range(len(day.rotations) + 1)]
        self.kids = [key.kid for key in keys]
        jwks = [key.public_jwk() for key in keys]
        self._bodies = [
            json.dumps({"keys": jwks[max(0, at - 1) : at + 1]}).encode() for at in range(len(keys))
        ]
        self.answered = self.failed = 0
        self._in_second: Counter[int] = Counter()

    def answer(self, request: HttpGet, time: SimulatedTime) -> HttpAnswer:
        """Answer a request for the keys, after the time that this takes.

        Raises:
            FetchFailed: in an outage.
        """
        now = time.now
        self._in_second[int(now)] += 1
        if any(begin <= now < end for begin, end in self._day.outages):
            self.failed += 1
            time.pause(self._day.fails_in)
            raise FetchFailed("connection", "the provider is away")
        self.answered += 1
        time.pause(self._day.answers_in)
        rotated = sum(at <= now for at in self._day.rotations)
        etag, control = f'"{rotated}"', f"max-age={self._day.lifetime:.0f}"
        if request.etag == etag:
            return HttpAnswer(304, b"", control, etag)
        return HttpAnswer(200, self._bodies[rotated], control, etag)

    def counted(self) -> Counted:
        return Counted(self.answered, self.failed, max(self._in_second.values(), default=0))


class SimulatedStore:
    """`SharedValues` in memory, which expire by the simulated clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._values: dict[str, tuple[bytes, float]] = {}
        self._leads: dict[str, tuple[str, float]] = {}
        self._words = 0

    def name(self, kind: str, *parts: bytes) -> str:
        return f"{kind} {b' '.join(parts)!r}"

    def get(self, name: str) -> bytes | None:
        value, until = self._values.get(name, (None, inf))
        return value if self._clock() < until else None

    def put(self, name: str, value: bytes, seconds: float) -> None:
        self._values[name] = (value, self._clock() + seconds)

    def lead(self, name: str, seconds: float) -> str | None:
        now = self._clock()
        if now < self._leads.get(name, ("", -inf))[1]:
            return None
        self._words += 1
        word = str(self._words)
        self._leads[name] = (word, now + seconds)
        return word

    def let_go(self, name: str, word: str) -> None:
        if self._leads.get(name, ("", -inf))[0] == word:
            del self._leads[name]


class Process(RemoteKeySource):
    """One process of the fleet: the library's own source of keys, and requests that have it ask.

    Only the thread of a refresh and the HTTP client are replaced; `live` does what busy requests do.
    """

    def __init__(
        self,
        day: Day,
        time: SimulatedTime,
        provider: SimulatedProvider,
        dice: random.Random,
        shared: SharedKeys | None,
    ) -> None:
        super().__init__(ORIGIN, client=None, clock=lambda: time.now, chance=dice.random, shared=shared)
        self._day, self._time, self._provider = day, time, provider
        self._starts_at = dice.random() * day.spread
        self._meets = [at + dice.random() * day.spread for at in day.rotations]

    def live(self) -> Life:
        """Yield the seconds until this process has something to do next."""
        yield self._starts_at
        while (now := self._time.now) < self._day.seconds:
            wanted = self._wanted(now)
            allowed = next((reason for reason in wanted if self._may_begin(reason, now)), None)
            if allowed is not None:
                self._refresh(allowed)
            else:
                yield max(NOTICED, self._next(wanted, now) - now)

    def _wanted(self, now: float) -> list[Reason]:
        """What for the requests of this moment want keys."""
        if self.key_set is None or not self.is_usable(now):
            return ["missing"]
        signed_under = self._provider.kids[sum(at <= now for at in self._meets)]
        is_known = any(key.kid == signed_under for key in self.key_set.keys.all)
        due: list[Reason] = ["ahead"] if self._is_due(now) else []
        return due if is_known else ["unknown_kid", *due]

    def _next(self, wanted: Sequence[Reason], now: float) -> float:
        """When something is wanted that is not yet, or something that is may be asked for."""
        in_hand = self.is_usable(now)
        times = [now + self._schedule.rest(reason, now, in_hand=in_hand) for reason in wanted]
        times += [at for at in self._meets if at > now]
        if self.key_set is not None:
            times += [at for at in (self.key_set.refresh_at, self.key_set.usable_until) if at > now]
        return min(times, default=inf)

    def _refresh(self, reason: Reason) -> None:
        flight = Flight(reason, self._time.now, inf)
        self._begun(reason, self._time.now)
        outcome: Fetched | Adopted | FetchFailed
        try:
            outcome = self._ask(flight)
        except FetchFailed as failure:
            outcome = failure
        now = self._time.now
        self._learn(outcome, at=now, waited_at=None if reason == "ahead" else now)

    def _fetch(self, flight: Flight) -> Fetched:
        flow = fetch_keys(self.origin, self.key_set)
        request: Any = next(flow)
        try:
            flow.send(self._provider.answer(request, self._time))
        except StopIteration as end:
            fetched: Fetched = end.value
            return fetched
        raise AssertionError("the keys of one address are one request")


ORIGIN = Published("https://login.example/keys")


def simulate(processes: int, day: Day, *, is_shared: bool, seed: int = 1) -> Counted:
    """Return what the provider saw in a day of so many processes, which share a store or do not."""
    dice, time, provider = random.Random(seed), SimulatedTime(), SimulatedProvider(day)
    if not is_shared:  # nobody changes anything for anybody else, so one lives after the other
        for _ in range(processes):
            time = SimulatedTime()
            time.run([Process(day, time, provider, dice, None).live()])
        return provider.counted()
    store = SimulatedStore(lambda: time.now)
    shared = SharedKeys(store, ORIGIN, clock=lambda: time.now, chance=dice.random, pause=time.pause)
    time.run([Process(day, time, provider, dice, shared).live() for _ in range(processes)])
    return provider.counted()


def main() -> None:
    """Simulate each size with and without a store; with `--docs`, write the page's table and its plot."""
    rows = []
    for processes in SIZES:
        alone, together = (simulate(processes, Day(), is_shared=is_shared) for is_shared in (False, True))
        rows.append((processes, alone, together))
        print(f"{processes:>6,} processes: alone {alone}, together {together}", flush=True)
    if "--docs" in sys.argv[1:]:
        from bench import fleet_page

        fleet_page.write(rows)


if __name__ == "__main__":
    main()
