"""What to install where an optional package is missing: an import error that says so."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Generator[None]:
    """Have imports in the `with` block say which extra of bearerguard brings what they lack.

    Raises:
        ModuleNotFoundError: a package outside of bearerguard is missing.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package in ("", "bearerguard"):
            raise
        raise ModuleNotFoundError(
            f"{package} is not installed: pip install 'bearerguard[{name}]'", name=missing.name
        ) from missing
