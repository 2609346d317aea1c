"""What an engine says of itself, for `health()`: whether it answers, what it forgets, how much it holds.

It is asked on a thread, so that nobody waits on an event loop. It never raises, and what the engine does not
let us ask is None.
"""

from __future__ import annotations

import threading
from typing import Any

from bearerguard._flows.effects import StoreFailed
from bearerguard.errors import ConfigurationError
from bearerguard.stores.redis._commands import Commands


class EngineState:
    """The state of one engine, as it was last seen. Safe to share by threads.

    Args:
        commands: which ask.
        seconds: for how long a thread waits for a new look.
    """

    def __init__(self, commands: Commands, seconds: float) -> None:
        self._commands = commands
        self._seconds = seconds
        self._thread: threading.Thread | None = None
        self._told: dict[str, Any] = {"eviction": None, "memory": None}

    def read(self) -> dict[str, Any]:
        """Return the state; a thread waits for a look, a task is told what the last one brought."""
        looking = self._looking()
        if looking is not None and not _is_on_a_loop():
            looking.join(2 * self._seconds)
        return {"reachable": self._commands.is_reachable, **self._told}

    def _looking(self) -> threading.Thread | None:
        """The look that is under way, or a new one."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            return thread
        if not self._commands.has_sync:
            return None
        thread = threading.Thread(target=self._look, name="bearerguard looks at the store", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the interpreter is ending
            return None
        self._thread = thread
        return thread

    def _look(self) -> None:
        try:
            told: Any = self._commands.run(lambda client: client.info("memory"), is_optional=True)
        except (StoreFailed, ConfigurationError):
            self._told = {"eviction": None, "memory": None}
            return
        if isinstance(told, dict) and isinstance(next(iter(told.values()), None), dict):
            told = next(iter(told.values()))  # of a Cluster, what one node says
        policy = told.get(b"maxmemory_policy") if isinstance(told, dict) else None
        used = told.get(b"used_memory") if isinstance(told, dict) else None
        self._told = {
            "eviction": policy.decode() if isinstance(policy, bytes) else None,
            "memory": used if isinstance(used, int) else None,
        }


def _is_on_a_loop() -> bool:
    from anyio.lowlevel import current_token  # noqa: PLC0415 - loaded long before, where there is an event loop

    try:
        current_token()
    except RuntimeError:
        return False
    return True
