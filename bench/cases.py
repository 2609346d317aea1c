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
from bench.kinds import Kind
from bench.material import Material


@dataclass(frozen=True)
class Case:
    """One thing to time.

    Attributes:
        run: Goes through a batch once; only this is timed.
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
    """A feed of one item many times over, another one for each batch, seen once before the timing starts.

    It goes round the pool from its end, so that the items of `rotating` stay new.
    """
    endless = cycle(pool[::-1])

    def feed(count: int) -> Sequence[Any]:
        item = next(endless)
        run([item])
        return [item] * count

    return feed


class FreshBatch(list[Any]):
    """Items, and what they are brought to: a verifier that has not seen them."""

    verify: Callable[[Any], object]


def never_seen(pool: Sequence[Any], make: Callable[[], Callable[[Any], object]]) -> Case:
    """Bring each batch to a verifier of its own, which has seen another token of the pool.

    So tokens of which there are few are new each time, whatever the verifier remembers. A batch is no longer
    than the pool.
    """
    endless = cycle(pool)

    def feed(count: int) -> Sequence[Any]:
        verify = make()
        verify(next(endless))
        batch = FreshBatch(islice(endless, min(count, len(pool) - 1)))
        batch.verify = verify
        return batch

    def run(batch: FreshBatch) -> None:
        verify = batch.verify
        for item in batch:
            verify(item)

    return Case(run, feed)


def floor_case(material: Material, algorithm: str, tokens: str) -> Case:
    """The bare signature check over the tokens of a file."""
    run = floor.run(algorithm, material.public_key(algorithm))
    return Case(run, rotating([floor.signed(token) for token in material.tokens(tokens)]))


def token_cases(
    material: Material,
    algorithm: str,
    kind: Kind,
    run: Callable[[Sequence[str]], None],
    clock: Callable[[], int] = time.thread_time_ns,
) -> Cases:
    """The floor of an algorithm, and a verifier with tokens never seen before and with one seen before."""
    subject = f"{algorithm} {kind.name}"
    pool = material.tokens(f"{algorithm}.{kind.name}")
    return {
        f"{subject} floor": floor_case(material, algorithm, f"{algorithm}.{kind.name}"),
        f"{subject} new": Case(run, rotating(pool), clock),
        f"{subject} repeated": Case(run, repeating(pool, run), clock),
    }
