"""Claims as somebody types them: `sub=ada scope="orders:read orders:write" roles=admin level=3`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from typing import Any

from bearerguard._extra import extra
from bearerguard.testing import Persona

with extra("cli"):
    import click

__all__ = ["claims_in", "persona_in"]

_LISTS = ("groups", "permissions", "roles")
_TEXTS = ("client_id", "name", "scope", "sub")


def claims_in(words: Iterable[str]) -> dict[str, Any]:
    """Return claims by name. A value is JSON where it can be read so, and text where not.

    Args:
        words: each as `name=value`.

    Raises:
        click.UsageError: one is something else, or a name comes twice.
    """
    claims: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise click.UsageError(f"{word!r:.80} is not a claim: write name=value, such as sub=ada.")
        if name in claims:
            raise click.UsageError(f"{name!r:.80} is given twice: write one.")
        claims[name] = _value(name, value)
    return claims


def _value(name: str, text: str) -> Any:
    if name in _TEXTS:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if name in _LISTS and isinstance(value, str):
        return value.replace(",", " ").split()
    return value


def persona_in(text: str) -> Persona:
    """Return somebody made up, who can log in.

    Args:
        text: their claims, in one argument: `sub=eve name=Eve scope="orders:read" roles=admin`.

    Raises:
        click.UsageError: it is not that.
    """
    try:
        members = claims_in(shlex.split(text))
    except ValueError:
        raise click.UsageError(f"--persona is {text!r:.200}, which has a quote that does not end.") from None
    unknown = members.keys() - {"sub", "name", "scope", "roles"}
    if unknown or not members.get("sub"):
        raise click.UsageError(
            f"--persona is {text!r:.200}: write sub=..., and name=..., scope=... and roles=... if you like."
        )
    scopes = tuple(members.get("scope", "").split())
    return Persona(
        members["sub"], members.get("name", members["sub"]), scopes, tuple(members.get("roles", ()))
    )
