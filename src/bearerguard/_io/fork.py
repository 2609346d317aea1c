"""What a forked child forgets: locks that a thread of the parent held, which does not exist in the child."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Locked(Protocol):
    """What has a lock."""

    _lock: threading.Lock


_living: weakref.WeakSet[Locked] = weakref.WeakSet()


def forget_locks(holder: Locked) -> None:
    """Have a child begin with a new lock in the place of the holder's."""
    _living.add(holder)


class Forked(Protocol):
    """What begins anew in a child."""

    def after_fork(self) -> None:
        """Forget what only the parent has, such as threads."""


_begin_anew: weakref.WeakSet[Forked] = weakref.WeakSet()


def call_after_fork(holder: Forked) -> None:
    """Have `after_fork` of the holder called in a child, after it was given a new lock."""
    _begin_anew.add(holder)


def _after_fork() -> None:
    for holder in list(_living):
        holder._lock = threading.Lock()  # noqa: SLF001 - what the protocol says it has
    for one in list(_begin_anew):
        one.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
