"""A `SecurityWarning` for the line that has to be changed, which is never one of this library."""

from __future__ import annotations

import inspect
import warnings
from types import FrameType

from bearerguard.errors import SecurityWarning

_OURS = ("bearerguard", "dataclasses", "functools")


def warn_caller(message: str) -> None:
    """Issue a `SecurityWarning` that points at the line outside of this library which is to be changed."""
    level, _ = _outside()
    warnings.warn(message, SecurityWarning, stacklevel=level)


def calling_frame() -> FrameType | None:
    """Return the innermost frame outside of this library."""
    return _outside()[1]


def _outside() -> tuple[int, FrameType | None]:
    """How far out, from who calls this, and which frame that is."""
    level, frame = 0, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_OURS):
        level, frame = level + 1, frame.f_back
    return level, frame
