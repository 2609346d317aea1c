"""A question that somebody observes: since when, and in whose context it was begun.

Whoever began it has mostly gone on by the time it is over, and the thread that ends it belongs to nobody. It
knows nothing of what is told.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from time import perf_counter


class Watched:
    """Made where a question is begun, by the thread or task that begins it."""

    __slots__ = ("_context", "_since")

    def __init__(self) -> None:
        self._context = copy_context()
        self._since = perf_counter()

    def over(self, tell: Callable[[float], None]) -> None:
        """Call a function with the seconds since, in the context of who began the question."""
        # A copy, since it may be told to several, and a context is entered once at a time.
        self._context.copy().run(tell, perf_counter() - self._since)
