"""What the processes of a fleet tell each other: sealed values, and who of them asks for a new one.

A value is believed only where it opens, for its own name: who writes the store without the secret writes
nothing. Whoever reads one judges its age by what stands inside. A failure counts as if there were nothing.
"""

from __future__ import annotations

import math
import os
from secrets import token_hex

from bearerguard._core.sealing import name_of, opened, sealed
from bearerguard._flows.effects import StoreFailed
from bearerguard._limits import MAX_SHARED_BYTES, SEAL_NONCE_BYTES
from bearerguard.errors import ConfigurationError
from bearerguard.stores.redis._commands import Commands

VERSION = 1
"""Of what is written in values: another version's do not open."""


class RedisValues:
    """Keeps values at one engine, as `SharedValues` says. Safe to share by threads.

    Args:
        commands: which ask.
        prefix: how names begin.
        secret: of names and seals.
    """

    def __init__(self, commands: Commands, prefix: str, secret: bytes) -> None:
        self._commands = commands
        self._prefix = prefix
        self._secret = secret

    def name(self, kind: str, *parts: bytes) -> str:
        """Return the name of something."""
        return name_of(self._prefix, self._secret, kind, *parts)

    def get(self, name: str) -> bytes | None:
        """Return what was put under a name by somebody who has the secret."""
        try:
            text = self._commands.run(lambda client: client.get(name))
        except (StoreFailed, ConfigurationError):
            return None
        if not isinstance(text, bytes) or len(text) > MAX_SHARED_BYTES:
            return None
        return opened(self._secret, name, VERSION, text)

    def put(self, name: str, value: bytes, seconds: float) -> None:
        """Put a value under a name."""
        text = sealed(self._secret, name, VERSION, value, os.urandom(SEAL_NONCE_BYTES))
        milliseconds = math.ceil(seconds * 1000)
        if milliseconds < 1 or len(text) > MAX_SHARED_BYTES:
            return
        try:
            self._commands.run(lambda client: client.set(name, text, px=milliseconds))
        except (StoreFailed, ConfigurationError):
            return

    def lead(self, name: str, seconds: float) -> str | None:
        """Return a word by which to let go again; None where another process leads."""
        lock, word = self._lock_of(name), token_hex(8)
        milliseconds = math.ceil(seconds * 1000)
        try:
            found = self._commands.run(
                lambda client: client.set(lock, word.encode(), nx=True, px=milliseconds, get=True)
            )
        except (StoreFailed, ConfigurationError):
            return word  # without a store everybody asks
        return word if found in (None, word.encode()) else None

    def let_go(self, name: str, word: str) -> None:
        """Lead no more; what another process holds by now is left to it."""
        lock = self._lock_of(name)
        try:
            if self._commands.run(lambda client: client.get(lock)) == word.encode():
                self._commands.run(lambda client: client.delete(lock))
        except (StoreFailed, ConfigurationError):
            return

    def _lock_of(self, name: str) -> str:
        return self.name("l", name.encode())
