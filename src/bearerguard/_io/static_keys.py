"""A key source whose keys were given as an object: nothing is fetched, nothing grows old."""

from __future__ import annotations

from bearerguard._jose.key_set import KeySet


class StaticKeySource:
    """Keys that are always there."""

    def __init__(self, key_set: KeySet) -> None:
        self.key_set: KeySet | None = key_set

    def refresh_ahead(self, now: float) -> None:
        """Do nothing: these keys never fall due."""
