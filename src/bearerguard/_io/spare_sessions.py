"""Sessions of one client that nobody asks with at the moment, kept with their connections for the next."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bearerguard._io.http import Session


class SpareSessions:
    """Keeps them. Safe to share by threads; a forked child makes another one.

    Args:
        seconds: after which one that nobody wanted is closed, when `drop_idle` is called.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        # With since when; the last one was used last.
        self._kept: list[tuple[Session, float]] = []
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._kept)

    def take(self) -> Session | None:
        """Hand out the session that was used last; nobody else gets it until it is kept again."""
        with self._lock:
            return self._kept.pop()[0] if self._kept else None

    def keep(self, session: Session) -> None:
        """Keep one that can be used again."""
        with self._lock:
            if not self._is_closed and not session.is_aborted:
                self._kept.append((session, time.monotonic()))
                return
        session.abort()

    def drop_idle(self) -> None:
        """Close those that nobody wanted for a while."""
        oldest = time.monotonic() - self._seconds
        with self._lock:
            dropped = [session for session, since in self._kept if since <= oldest]
            self._kept = [(session, since) for session, since in self._kept if since > oldest]
        for session in dropped:
            session.abort()

    def close(self) -> None:
        """Close all of them, and what is brought later."""
        with self._lock:
            self._is_closed = True
            kept, self._kept = self._kept, []
        for session, _ in kept:
            session.abort()
