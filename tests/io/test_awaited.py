"""What an async function of a program returned, awaited by a thread."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from bearerguard._io.awaited import awaited


async def double(number: int) -> int:
    await anyio.lowlevel.checkpoint()
    return 2 * number


def test_a_thread_without_an_event_loop_awaits_it_in_one_of_its_own() -> None:
    assert awaited(double(21)) == 42


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_thread_that_has_inherited_the_context_of_a_task_does_too(backend: str) -> None:
    """Free-threaded Python lets every thread inherit one; elsewhere `asyncio.to_thread` does."""

    async def task() -> Any:
        if backend == "asyncio":
            return await asyncio.to_thread(lambda: awaited(double(21)))
        return await anyio.to_thread.run_sync(lambda: awaited(double(21)))

    assert anyio.run(task, backend=backend) == 42


def test_what_it_raises_is_raised() -> None:
    async def fail() -> None:
        raise LookupError("no keys")

    with pytest.raises(LookupError, match="no keys"):
        awaited(fail())
