"""What a function of the program returned to be awaited, awaited by a thread that runs no event loop.

It knows nothing of what was asked, and is not for tasks: they await by themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextvars import Context
from typing import Any


def awaited(awaitable: Awaitable[Any]) -> Any:
    """Return what comes of an awaitable, in an event loop of its own.

    In a context of its own too: where a thread has inherited one (on free-threaded Python, by an option of
    Python 3.14, by `asyncio.to_thread`), AnyIO would take the event loop of the request for the thread's.
    """
    import anyio  # noqa: PLC0415 - `import bearerguard` loads this file, and is to load no AnyIO

    return Context().run(anyio.run, _await, awaitable)


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
