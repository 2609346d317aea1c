"""The issuers to trust, as values: `Provider`, how its keys are fetched, and which kind of token is accepted.

Values that are checked when they are built. Nothing here fetches anything, holds state or writes a log.
"""

from __future__ import annotations

from bearerguard._jose.algorithms import ASYMMETRIC
from bearerguard._limits import DEFAULT_LEEWAY
from bearerguard.provider.keys import RemoteKeys
from bearerguard.provider.profiles import ANY_JWT, ID_TOKEN, JWT, RFC9068, Profile
from bearerguard.provider.provider import Provider

__all__ = [
    "ANY_JWT",
    "ASYMMETRIC",
    "DEFAULT_LEEWAY",
    "ID_TOKEN",
    "JWT",
    "RFC9068",
    "Profile",
    "Provider",
    "RemoteKeys",
]
