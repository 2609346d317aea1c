"""What can be wrong with an issuer for a while: it does not answer, answers badly, or answers late.

A trouble is switched on by making it and off by `stop()`, or at the end of a `with` block. Requests that
wait for a slow issuer go on as soon as it is no longer slow. The number of seconds is real time, not the
issuer's clock: what is slow here is the wire.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

__all__ = ["Trouble", "Troubles"]


class Trouble:
    """One outage or slowness, begun already. Ends with `stop()` or with the `with` block that it heads."""

    def __init__(
        self,
        end: Callable[[Trouble], None],
        *,
        seconds: float,
        outage: bool,
        status: int | None,
        path: str | None,
    ) -> None:
        self.seconds: float = seconds
        self.outage: bool = outage
        self.status: int | None = status
        self.path: str | None = path
        self._end = end

    def is_at(self, path: str) -> bool:
        """Whether somebody who asks at `path` meets it."""
        return self.path is None or self.path == path

    def stop(self) -> None:
        """End it; without effect the second time."""
        self._end(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class Troubles:
    """The troubles that one issuer has now; safe to use from several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._active: list[Trouble] = []

    def begin(
        self,
        *,
        seconds: float = 0.0,
        outage: bool = False,
        status: int | None = None,
        path: str | None = None,
    ) -> Trouble:
        """Begin a trouble, at one path or at all of them."""
        trouble = Trouble(self._stop, seconds=seconds, outage=outage, status=status, path=path)
        with self._changed:
            self._active.append(trouble)
        return trouble

    def outage(self, path: str) -> Trouble | None:
        """The outage at `path` that began last and has not ended."""
        with self._changed:
            met = (trouble for trouble in reversed(self._active) if trouble.is_at(path))
            return next((trouble for trouble in met if trouble.outage), None)

    def wait(self, path: str, limit: float | None, cut_short: Callable[[], bool] = lambda: False) -> bool:
        """Wait as long as the issuer is slow, or until `cut_short`; False once `limit` seconds are over."""
        begun = time.monotonic()
        with self._changed:
            while not cut_short():
                waited = time.monotonic() - begun
                met = (trouble.seconds for trouble in self._active if trouble.is_at(path))
                left = max(met, default=0.0) - waited
                if left <= 0:
                    return True
                if limit is not None and waited >= limit:
                    return False
                self._changed.wait(left if limit is None else min(left, limit - waited))
        return True

    def look_again(self) -> None:
        """Have everyone who waits look at `cut_short` again."""
        with self._changed:
            self._changed.notify_all()

    def _stop(self, trouble: Trouble) -> None:
        with self._changed:
            if trouble in self._active:
                self._active.remove(trouble)
            self._changed.notify_all()
