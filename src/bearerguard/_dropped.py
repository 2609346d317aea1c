"""A protected application that is dropped by the statement that made it: `guard.protect(app)` by itself.

It protects nothing, as `app` stays what it was, and nobody would notice. This only warns of it, and only
where it is certain: nothing was served, and what drops the application is the line that asked for it.
"""

from __future__ import annotations

from types import CodeType

from bearerguard.provider._warning import calling_frame, warn_caller


class Protection:
    """A part of a protected application, which goes when that goes.

    Attributes:
        has_served: whether a request came to the application.
    """

    __slots__ = ("_made_at", "has_served")

    def __init__(self) -> None:
        self.has_served = False
        self._made_at = _calling_line()

    def __del__(self) -> None:
        if not self.has_served and _calling_line() == self._made_at:
            warn_caller(
                "protect(app) returns another application, the protected one, and here nobody keeps it, so "
                "nothing is protected: write app = guard.protect(app), or app.add_middleware(guard.protect)"
            )


def _calling_line() -> tuple[CodeType, int | None] | None:
    frame = calling_frame()
    return None if frame is None else (frame.f_code, frame.f_lineno)
