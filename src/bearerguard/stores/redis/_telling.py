"""One command of a store, for those who observe: which it was, how long it took, why it failed.

It changes nothing of a command, and says nothing of what was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from bearerguard._flows.effects import StoreFailed

Tell = Callable[[str, float, str | None], None]
"""Is given the name of the command, the seconds, and why it failed, if it did."""


class Telling:
    """Tells of the command that is run in its `with` block.

    One that was given up is not told, nor is one that was not asked, as the engine is left alone.

    Args:
        tells: what is called.
    """

    def __init__(self, tells: Iterable[Tell]) -> None:
        self.command = "connect"
        self._tells = tells
        self._since = perf_counter()

    def noting(self, ask: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return what asks a client in the same way, and notes which method it calls."""
        return lambda client: ask(_Client(client, self))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, _: TracebackType | None
    ) -> None:
        failure = problem.kind if isinstance(problem, StoreFailed) else None
        if (problem is not None and failure is None) or failure == "resting":
            return
        for tell in self._tells:
            tell(self.command, perf_counter() - self._since, failure)


class _Client:
    """A client of which it is noted what it is asked."""

    def __init__(self, client: Any, telling: Telling) -> None:
        self._client = client
        self._telling = telling

    def execute_command(self, name: str, *rest: Any, **options: Any) -> Any:
        self._telling.command = name.lower()
        return self._client.execute_command(name, *rest, **options)

    def __getattr__(self, name: str) -> Any:
        self._telling.command = name
        return getattr(self._client, name)
