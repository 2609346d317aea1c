"""The threads of a source of answers about tokens: those that ask, and the one that watches over deadlines.

They end when there was nothing to do for a while. What is asked, and what comes of it, is the source's.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bearerguard._io.introspection_source import IntrospectionSource
    from bearerguard._io.question import Question


class Asker(threading.Thread):
    """A thread that asks one question after the other."""

    def __init__(self, source: IntrospectionSource, first: Question, name: str) -> None:
        super().__init__(name=f"bearerguard asks {name}", daemon=True)
        self._source = source
        self._given: Question | None = first
        # Held until it is given something: waking a thread by a bare lock takes half of what an event takes.
        self._called = threading.Lock()
        self._called.acquire()

    def give(self, question: Question | None) -> None:
        """Have it ask a question, once for each time that it was idle; None has it end."""
        self._given = question
        self._called.release()

    def is_wanted(self, seconds: float) -> bool:
        """Wait until it was given something, at most for some seconds; for as long as it takes if -1."""
        return self._called.acquire(timeout=seconds)

    def taken(self) -> Question | None:
        """Return what it was given."""
        return self._given

    def run(self) -> None:
        """Ask, until there was nothing to ask for a while."""
        source = self._source
        question, self._given = self._given, None
        while question is not None:
            with _going_on():
                source.carry_out(question)
            question = source.next_for(self)


class Watch(threading.Thread):
    """A thread that watches over questions that other threads ask, and that mostly sleeps."""

    def __init__(self, source: IntrospectionSource, name: str) -> None:
        super().__init__(name=f"bearerguard watches over questions to {name}", daemon=True)
        self._source = source
        self._woken = threading.Event()

    def wake(self) -> None:
        """Have it look now."""
        self._woken.set()

    def run(self) -> None:
        """Look, until there is nothing to look after."""
        seconds: float | None = 0.0
        while seconds is not None:
            self._woken.wait(seconds)
            seconds = 0.0
            with _going_on():
                seconds = self._source.look_after()


@contextmanager
def _going_on() -> Generator[None]:
    """Live on whatever a log handler or an observer of the program's raises, which is told all the same."""
    try:
        yield
    except Exception as problem:  # noqa: BLE001 - what a program's handler raises is the program's choice
        told = (type(problem), problem, problem.__traceback__, threading.current_thread())
        threading.excepthook(threading.ExceptHookArgs(told))
