"""A key source whose keys were given as an object: nothing is fetched, nothing grows old.

A certificate among them may have expired all the same. That is told once, and refuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from bearerguard._jose.key_material import why_out_of_date
from bearerguard._jose.key_set import KeySet
from bearerguard.observe import logger


class StaticKeySource:
    """Keys that are always there."""

    def __init__(self, key_set: KeySet) -> None:
        self.key_set: KeySet | None = key_set

    def refresh_ahead(self, now: float) -> None:
        """Do nothing: these keys never fall due."""


def static_source(key_set: KeySet, name: str, clock: Callable[[], float]) -> StaticKeySource:
    """Return the source of a provider's given keys; warn of certificates that are not valid now."""
    dated = [key for key in key_set.keys.all if key.valid is not None]
    if dated:
        now = clock()
        for sentence in filter(None, (why_out_of_date(key, now) for key in dated)):
            logger().warning("provider %r: %s", name, sentence)
    return StaticKeySource(key_set)
