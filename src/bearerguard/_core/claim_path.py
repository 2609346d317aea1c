"""Paths into claims: `realm_access.roles`, `["resource_access", "my.api", "roles"]`, `https://api.example/roles`.

Only looks values up. Where keys have dots themselves the longest key that is there wins, so a claim named by
a URL needs no quoting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Path = str | Sequence[str]
"""A dotted path, or its keys one by one where dots could be misread."""


def look_up(claims: Mapping[str, Any], path: Path) -> Any:
    """Return the value at `path`, or None where there is none.

    Examples:
        >>> look_up({"realm_access": {"roles": ["admin"]}}, "realm_access.roles")
        ['admin']
    """
    if isinstance(path, str):
        return _dotted(claims, path.split("."))
    value: Any = claims
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def texts_in(value: Any) -> frozenset[str]:
    """Return the names in a claim that lists some: a string of them separated by spaces, or an array.

    Scopes are separated by spaces only (RFC 6749, section 3.3).
    """
    if isinstance(value, str):
        return frozenset(name for name in value.split(" ") if name)
    return texts_of(value)


def texts_of(value: Any) -> frozenset[str]:
    """Return the names in a claim where a string is one name, spaces included."""
    if isinstance(value, str):
        return frozenset((value,))
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return frozenset(name for name in value if isinstance(name, str))
    return frozenset()


def keys_of(value: Any) -> frozenset[str]:
    """Return the names in a claim that is an object whose members are the names."""
    return frozenset(value) if isinstance(value, Mapping) else frozenset()


def _dotted(value: Any, segments: list[str]) -> Any:
    """Try the longest key first, and shorter ones where the rest is not below it."""
    if not segments:
        return value
    if not isinstance(value, Mapping):
        return None
    for length in range(len(segments), 0, -1):
        key = ".".join(segments[:length])
        if key in value:
            found = _dotted(value[key], segments[length:])
            if found is not None:
                return found
    return None
