"""Where the processes of a fleet note proofs: one command, which adds a proof if it is absent.

A client of the program's own may send it twice, where a connection broke before the answer: so each call has
a value of its own, and finding that again is not a replay. It counts nothing: how many proofs an engine holds
is bounded by its memory.
"""

from __future__ import annotations

import math
from secrets import token_hex

from bearerguard._core.sealing import name_of
from bearerguard._flows.effects import ReplayKey, StoreFailed, Unanswered
from bearerguard.stores.redis._commands import Ask, Commands
from bearerguard.stores.redis._kept_client import directly


class RedisReplays:
    """Notes proofs at one engine, as `SharedReplays` says. Safe to share.

    Args:
        commands: which ask.
        prefix: how names begin.
        secret: of the names; or None.
    """

    def __init__(self, commands: Commands, prefix: str, secret: bytes | None) -> None:
        self._commands = commands
        self._prefix = prefix
        self._secret = secret

    def ask(self, key: ReplayKey, seconds: float | None) -> bool | Unanswered:
        """Note a proof; block the thread meanwhile."""
        value = token_hex(8).encode()
        try:
            return self._commands.run(self._command(key, seconds, value)) in (None, value)
        except StoreFailed as failure:
            return Unanswered(failure.retry_after)

    async def ask_async(self, key: ReplayKey, seconds: float | None) -> bool | Unanswered:
        """The same for a task."""
        value = token_hex(8).encode()
        try:
            return await self._commands.arun(self._command(key, seconds, value)) in (None, value)
        except StoreFailed as failure:
            return Unanswered(failure.retry_after)

    def _command(self, key: ReplayKey, seconds: float | None, value: bytes) -> Ask:
        """Ask for what stood there before: nothing, of a new proof."""
        name = self._name(key)
        if seconds is None:
            return lambda client: client.get(name)
        milliseconds = math.ceil(seconds * 1000)
        # As `client.set(name, value, nx=True, px=milliseconds, get=True)`.
        return lambda client: directly(client, "SET", name, value, "NX", "PX", milliseconds, "GET", get=True)

    def _name(self, key: ReplayKey) -> str:
        return name_of(self._prefix, self._secret, "p", key.digest)
