"""Revocations as a stream of a Redis: written by whoever revokes, followed by every process.

Entries are hashes and times, and are not sealed: whoever can write the store can revoke, and nothing else. A
stream is trimmed by the engine's own clock, which gives each entry its position.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any, cast

from bearerguard._core.denylist import Entry
from bearerguard._flows.effects import StreamEntry
from bearerguard._limits import (
    MAX_NUMERIC_DATE,
    REVOCATION_NAME_BYTES,
    REVOCATIONS_AT_ONCE,
    REVOCATIONS_TRIMMED,
)

if TYPE_CHECKING:
    from bearerguard.stores.redis._commands import Commands

__all__: list[str] = []

_NAME = re.compile(rb"[0-9a-f]{%d}" % (2 * REVOCATION_NAME_BYTES))
_TIME = re.compile(rb"[0-9]{1,16}")


class RevocationStream:
    """The log of revocations of one prefix. Safe to share by threads, event loops and forked processes.

    Args:
        commands: how the engine is asked.
        prefix: how all names begin.
        secret: with it names are HMACs: nobody who reads the stream can guess a subject.
    """

    def __init__(self, commands: Commands, prefix: str, secret: bytes | None) -> None:
        self._commands = commands
        self._prefix = prefix
        self._stream = f"{prefix}:r"
        # A key of its own purpose, as `sealing` derives them.
        self._key = (
            None if secret is None else hmac.digest(secret, b"bearerguard store: revocations", "sha256")
        )
        self._written = 0

    @property
    def can_follow(self) -> bool:
        """Whether a thread can ask."""
        return self._commands.has_sync

    def naming(self, message: bytes) -> bytes:
        """Return the hash of what is named, the same in every process with this secret."""
        return (
            hashlib.sha256(message).digest()
            if self._key is None
            else hmac.digest(self._key, message, "sha256")
        )

    # -- reading -------------------------------------------------------------------------------------

    def read(self, after: bytes | None) -> list[StreamEntry] | None:
        """Return some entries behind a position; see `RevocationLog.read`.

        Raises:
            StoreFailed: the stream cannot be read.
        """
        begin: Any = "-" if after is None else after
        # The last one that was read is read again: it is there unless the stream was emptied, or an engine
        # that never had it has taken over.
        count = REVOCATIONS_AT_ONCE + (after is not None)
        # Not by `xrange`: a client that decodes would stop for ever at bytes that are not UTF-8.
        command = ("XRANGE", self._stream, begin, "+", "COUNT", count)
        found = self._commands.run(lambda client: client.execute_command(*command, NEVER_DECODE=True))
        entries = [(cast("bytes", position), fields) for position, fields in found]
        if after is not None:
            if not entries or entries[0][0] != after:
                return None
            entries = entries[1:]
        return [StreamEntry(position, _entry_of(fields)) for position, fields in entries]

    # -- writing -------------------------------------------------------------------------------------

    def append(self, entry: Entry, keep: float) -> None:
        """Write an entry; what is older than `keep` seconds is dropped now and then.

        Raises:
            StoreFailed: nobody knows whether it was written.
        """
        position = self._commands.run(lambda client: client.xadd(self._stream, _fields(entry)))
        oldest = self._oldest(position, keep)
        if oldest is not None:
            self._commands.run(lambda client: client.xtrim(self._stream, minid=oldest, approximate=True))

    async def append_async(self, entry: Entry, keep: float) -> None:
        """The same as `append`, for a task."""
        position = await self._commands.arun(lambda client: client.xadd(self._stream, _fields(entry)))
        oldest = self._oldest(position, keep)
        if oldest is not None:
            await self._commands.arun(
                lambda client: client.xtrim(self._stream, minid=oldest, approximate=True)
            )

    def _oldest(self, position: bytes, keep: float) -> int | None:
        """From which position on entries are kept, where it is time to drop some: now and then."""
        self._written += 1
        if self._written % REVOCATIONS_TRIMMED != 1:
            return None
        return max(0, int(position.partition(b"-")[0]) - int(keep * 1000))

    # -- what is good once ---------------------------------------------------------------------------

    def spend(self, name: bytes, seconds: float) -> bool:
        """Note in one step what is good once; False where it was there.

        Raises:
            StoreFailed: nobody knows whether it was noted.
        """
        key, milliseconds = f"{self._prefix}:l:{name.hex()}", max(1, int(seconds * 1000))
        return bool(self._commands.run(lambda client: client.set(key, b"1", nx=True, px=milliseconds)))

    async def spend_async(self, name: bytes, seconds: float) -> bool:
        """The same as `spend`, for a task."""
        key, milliseconds = f"{self._prefix}:l:{name.hex()}", max(1, int(seconds * 1000))
        return bool(await self._commands.arun(lambda client: client.set(key, b"1", nx=True, px=milliseconds)))


def _fields(entry: Entry) -> dict[Any, Any]:
    return {"n": entry.name.hex(), "t": str(entry.at)}


def _entry_of(fields: Any) -> Entry | None:
    """The entry that fields make; None where they make none. What else is there may be of a later version."""
    if not isinstance(fields, dict):  # an entry that was deleted while it was read
        return None
    name, at = fields.get(b"n", b""), fields.get(b"t", b"")
    if not _NAME.fullmatch(name) or not _TIME.fullmatch(at) or int(at) > MAX_NUMERIC_DATE:
        return None
    return Entry(bytes.fromhex(name.decode()), int(at))
