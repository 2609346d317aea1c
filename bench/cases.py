"""What is timed: a case is a loop over a batch, and a feed that prepares it outside of the timing.

Loops call the verifier as its user would and nothing more. A coroutine is driven without an event loop,
because none of those measured here suspends once its keys are in memory; one that did would be an error, not
a slow figure.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from bench import floor
from bench.material import Material


@dataclass(frozen=True)
class Case:
    """One thing to time.

    Attributes:
        run: Goes through a batch once; this alone is timed.
        feed: Prepares a batch of the given length.
        clock: Nanoseconds. The processor time of the thread, which does not count what else the machine does;
            for a case that waits for somebody, the time that passes.
    """

    run: Callable[[Any], None]
    feed: Callable[[int], Sequence[Any]]
    clock: Callable[[], int] = time.thread_time_ns


Cases = dict[str, Case]


def drive(coroutine: Any) -> None:
    """Run a coroutine that never waits.

    Raises:
        RuntimeError: It waited for something.
    """
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("a measured coroutine waited for something")


def loop(verify: Callable[[Any], object]) -> Callable[[Sequence[Any]], None]:
    """Call a verifier with each of a batch; it raises on what it refuses."""

    def run(batch: Sequence[Any]) -> None:
        for item in batch:
            verify(item)

    return run


def async_loop(verify: Callable[[Any], Awaitable[object]]) -> Callable[[Sequence[Any]], None]:
    """Await a verifier with each of a batch, one after the other, in one coroutine."""

    async def run(batch: Sequence[Any]) -> None:
        for item in batch:
            await verify(item)

    return lambda batch: drive(run(batch))


def refusing_loop(verify: Callable[[Any], object], error: type[Exception]) -> Callable[[Sequence[Any]], None]:
    """Call a verifier with each of a batch, all of which it must refuse with `error`."""

    def run(batch: Sequence[Any]) -> None:
        for item in batch:
            try:
                verify(item)
            except error:
                continue
            raise RuntimeError("a token that had to be refused was accepted")

    return run


def rotating(pool: Sequence[Any]) -> Callable[[int], Sequence[Any]]:
    """A feed that goes round a pool: an item comes back only after all the others."""
    endless = cycle(pool)
    return lambda count: list(islice(endless, count))


def repeating(pool: Sequence[Any], run: Callable[[Any], None]) -> Callable[[int], Sequence[Any]]:
    """A feed of one item many times over, another one for each batch, seen once before the timing starts."""
    endless = cycle(pool)

    def feed(count: int) -> Sequence[Any]:
        item = next(endless)
        run([item])
        return [item] * count

    return feed


def floor_case(material: Material, algorithm: str) -> Case:
    """The bare signature check over the same tokens."""
    run = floor.run(algorithm, material.public_key(algorithm))
    return Case(run, rotating([floor.signed(token) for token in material.tokens(f"{algorithm}.new")]))


def token_cases(
    material: Material,
    algorithm: str,
    run: Callable[[Sequence[str]], None],
    clock: Callable[[], int] = time.thread_time_ns,
) -> Cases:
    """The floor of an algorithm, and a verifier with tokens never seen before and with one seen before."""
    pool = material.tokens(f"{algorithm}.new")
    return {
        f"{algorithm} floor": floor_case(material, algorithm),
        f"{algorithm} new": Case(run, rotating(pool), clock),
        f"{algorithm} repeated": Case(run, repeating(pool, run), clock),
    }
