"""The issuers to trust, as values: `Provider`, how it is asked for keys and about tokens, and profiles.

Values that are checked when they are built. Nothing here fetches anything, holds state or writes a log.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bearerguard._jose.algorithms import ASYMMETRIC
from bearerguard._limits import DEFAULT_LEEWAY
from bearerguard.provider.keys import RemoteKeys
from bearerguard.provider.profiles import ANY_JWT, ID_TOKEN, JWT, RFC9068, Profile
from bearerguard.provider.provider import Provider

if TYPE_CHECKING:
    from bearerguard.provider.introspection import Introspection
    from bearerguard.provider.sources import Cookie, Header, Source

__all__ = [
    "ANY_JWT",
    "ASYMMETRIC",
    "DEFAULT_LEEWAY",
    "ID_TOKEN",
    "JWT",
    "RFC9068",
    "Cookie",
    "Header",
    "Introspection",
    "Profile",
    "Provider",
    "RemoteKeys",
    "Source",
]

_WHERE = {"Cookie": "sources", "Header": "sources", "Introspection": "introspection", "Source": "sources"}
"""What few providers have is loaded where somebody asks for it: it would take a tenth of the import."""


def __getattr__(name: str) -> Any:
    """A name that is looked up only where somebody asks."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    return found
