"""A `SecurityWarning` for the line that has to be changed, which is never one of this library."""

from __future__ import annotations

import sys
import warnings

from bearerguard.errors import SecurityWarning

_OURS = ("bearerguard", "dataclasses", "functools")


def warn_caller(message: str) -> None:
    """Issue a `SecurityWarning` that points at the line outside of this library which is to be changed."""
    level, frame = 1, sys._getframe(0)  # noqa: SLF001 - as `warnings` itself does
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_OURS):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, SecurityWarning, stacklevel=level)
