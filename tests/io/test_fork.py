"""A child forked while a thread of the parent held a lock does not wait for that thread for ever."""

from __future__ import annotations

import threading

from bearerguard._io.fork import _after_fork, forget_locks


class Holder:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        forget_locks(self)

    def is_free(self) -> bool:
        return not self._lock.locked()

    def hold(self) -> None:
        self._lock.acquire()


def test_a_lock_that_was_held_is_new_in_a_child() -> None:
    holder = Holder()
    holder.hold()
    _after_fork()  # what the system calls in a child; one of its own would copy this whole process
    assert holder.is_free()
