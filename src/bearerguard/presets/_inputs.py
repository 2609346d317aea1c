"""What presets have in common: names that are put right or refused, and the `Provider` that comes of it.

A name that was given as an address, or an address as a name, is put right where there is one way to do so,
and refused where there is not. It is never kept as it is: a token of that issuer would not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Never
from urllib.parse import SplitResult, urlsplit

from bearerguard.errors import ConfigurationError
from bearerguard.provider import Provider

__all__: list[str] = []

_HOST = re.compile(
    r"(?=.{1,253}(?::|\Z))[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::\d{1,5})?"
)
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def refuse(preset: str, problem: str) -> Never:
    """Raise the error of a preset: what was given, why it is refused, what to write."""
    raise ConfigurationError(f"{preset}: {problem}.")


def provider(settings: Mapping[str, Any], options: Mapping[str, Any]) -> Provider:
    """Return the provider of a preset.

    Args:
        settings: the preset's own.
        options: arguments of `Provider` that replace or add to these. Claims that are required add up.
    """
    required = {**settings.get("required_claims", {}), **(options.get("required_claims") or {})}
    merged = {**settings, **options}
    if required:
        merged["required_claims"] = required
    return Provider(merged.pop("issuer"), **merged)


def text(preset: str, what: str, given: Any, example: str) -> str:
    """A name without white space around it."""
    if not isinstance(given, str) or not given.strip():
        refuse(preset, f"{what} is missing or empty: write it as {example!r}")
    return given.strip()


def host(preset: str, what: str, given: Any, example: str) -> str:
    """A host's name, with a port where it has one; of an https address without a path that of the address."""
    name = text(preset, what, given, example)
    parts = _address(name if "://" in name else f"https://{name}")
    found = None if parts is None else parts.netloc.lower()
    if (
        parts is None
        or found is None
        or parts.scheme != "https"
        or not _HOST.fullmatch(found)
        or "." not in found
    ):
        refuse(preset, f"{what} is {_shown(name)}, which is not the name of a host: write it as {example!r}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        refuse(preset, f"{what} is {_shown(name)}, with more than a host in it: write it as {example!r}")
    return found


def base_url(preset: str, what: str, given: Any, example: str) -> str:
    """An address without a slash at its end; of a bare host its https address."""
    name = text(preset, what, given, example)
    parts = _address(name if "://" in name else f"https://{name}")
    if parts is None or parts.scheme not in ("https", "http") or not _HOST.fullmatch(parts.netloc.lower()):
        refuse(preset, f"{what} is {_shown(name)}, which is not an address: write it as {example!r}")
    if parts.query or parts.fragment:
        refuse(preset, f"{what} is {_shown(name)}, with a query or a fragment: write it as {example!r}")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def flag(preset: str, what: str, given: Any) -> bool:
    """A boolean, and not text such as "false", which would count as true."""
    if not isinstance(given, bool):
        refuse(preset, f"{what} is a {type(given).__name__}: write True or False")
    return given


def _address(given: str) -> SplitResult | None:
    try:
        parts = urlsplit(given)
        _ = parts.port
    except ValueError:
        return None
    return None if any(character.isspace() for character in given) else parts


def names(given: Any) -> tuple[str, ...]:
    """One or several names; none where something else was given, which `Provider` then refuses."""
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, Iterable):
        return ()
    several = tuple(given)
    return several if all(isinstance(name, str) for name in several) else ()


def _shown(name: str) -> str:
    """A name in an error; what stands before an `@` may be a password."""
    return repr(name.rpartition("@")[2])[:200]
