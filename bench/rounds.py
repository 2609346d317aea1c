"""Rounds: several workers asked in turn, and what their answers say.

A ratio is taken within a round of one worker, between two batches a few milliseconds apart, and the median of
these ratios is reported with its quartiles. Microseconds are medians too, and comparable between workers as
far as the machine allows, because the rounds of all workers are interleaved.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Spread:
    """A median and its quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """The spread of some figures; a single one has none."""
        if len(figures) < 2:
            return cls(figures[0], figures[0], figures[0])
        low, median, high = statistics.quantiles(figures, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass
class Timings:
    """Nanoseconds of each case of one worker, a figure a round."""

    cases: dict[str, list[float]] = field(default_factory=dict)

    def add(self, answer: Mapping[str, float]) -> None:
        """Take in the answer of one round."""
        for case, nanoseconds in answer.items():
            self.cases.setdefault(case, []).append(nanoseconds)

    def microseconds(self, case: str) -> Spread:
        """What one item of a case took."""
        return Spread.of([nanoseconds / 1e3 for nanoseconds in self.cases[case]])

    def shown(self, case: str) -> str:
        """The same in words."""
        return f"{self.microseconds(case).median:.1f} us"

    def ratio(self, case: str, floor: str) -> Spread:
        """A case over its floor, round by round."""
        return Spread.of(
            [one / other for one, other in zip(self.cases[case], self.cases[floor], strict=True)]
        )

    def difference(self, case: str, other: str) -> Spread:
        """How many microseconds a case takes more than another, round by round."""
        pairs = zip(self.cases[case], self.cases[other], strict=True)
        return Spread.of([(one - another) / 1e3 for one, another in pairs])

    def added_over(self, case: str, base: str, floor: str) -> Spread:
        """What a case adds to its base, over a floor that is no part of either, round by round."""
        triples = zip(self.cases[case], self.cases[base], self.cases[floor], strict=True)
        return Spread.of([(one - without) / least for one, without, least in triples])

    def ratio_of_added(self, case: str, floor: str, bare: str) -> Spread:
        """What a case adds to the bare one, over what the floor adds to it, round by round."""
        triples = zip(self.cases[case], self.cases[floor], self.cases[bare], strict=True)
        return Spread.of([(one - nothing) / (least - nothing) for one, least, nothing in triples])


class Worker:
    """A process that times its cases for one round whenever it is asked."""

    def __init__(self, command: Sequence[str], root: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=root, env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.timings = Timings()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def wait_until_ready(self) -> dict[str, int]:
        """Wait until it has warmed up; returns how many items its batches hold."""
        batches: dict[str, int] = self._answer()["batches"]
        return batches

    def take_round(self, number: int) -> None:
        """Time every case once."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"round": number}) + "\n")
        self._process.stdin.flush()
        self.timings.add(self._answer())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


def take_rounds(workers: Iterable[Worker], count: int, limit_seconds: float) -> int:
    """Ask every worker for a round, in turn, `count` times or until the time is up.

    Args:
        workers: The workers, ready.
        count: How many rounds.
        limit_seconds: No further round is started after this.

    Returns:
        How many rounds were taken.
    """
    workers = list(workers)
    end = time.monotonic() + limit_seconds
    for number in range(count):
        for worker in workers:
            worker.take_round(number)
        if time.monotonic() > end:
            return number + 1
    return count
