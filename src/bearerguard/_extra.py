"""What to install where an optional package is missing: an import error that says so."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager


class MissingExtra(ModuleNotFoundError):
    """A package is missing that one of bearerguard's extras brings; the message says which extra."""


@contextmanager
def extra(name: str) -> Generator[None]:
    """Have imports in the `with` block say which extra of bearerguard brings what they lack.

    Raises:
        MissingExtra: a package outside of bearerguard is missing.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package in ("", "bearerguard"):
            raise
        raise MissingExtra(
            f"{package} is not installed: pip install 'bearerguard[{name}]'", name=missing.name
        ) from missing
