"""Where a server notes what its requests used up: in this process, so far.

A store has the members of `ReplayStore`. It notes and counts, and decides nothing about tokens.
"""

from __future__ import annotations

from bearerguard._flows.effects import ReplayKey, ReplayStore
from bearerguard.stores.memory import MemoryReplayStore

__all__ = ["MemoryReplayStore", "ReplayKey", "ReplayStore"]
