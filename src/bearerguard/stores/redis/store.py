"""`RedisStore`: what the processes of an API share, as a value that a server is given.

It connects to nothing before a request needs it. It decides nothing about tokens.
"""

from __future__ import annotations

import re
from typing import Any, final

from bearerguard._limits import MIN_STORE_SECRET_BYTES, STORE_TIMEOUT
from bearerguard.errors import ConfigurationError
from bearerguard.stores.redis._clients import Clients
from bearerguard.stores.redis._commands import Commands
from bearerguard.stores.redis._replays import RedisReplays
from bearerguard.stores.redis._revocation_stream import RevocationStream
from bearerguard.stores.redis._state import EngineState
from bearerguard.stores.redis._values import RedisValues

__all__ = ["RedisStore"]

_SCHEMES = ("redis://", "rediss://", "unix://")
_PREFIX = r"[A-Za-z0-9._-]{1,64}"


@final
class RedisStore:
    """A Redis (7 or newer) or a Valkey (8) that the processes of an API share.

    Proofs of possession are noted there, so that each is good once wherever it comes. With a `secret` the
    processes share key sets and introspection answers too. Names are hashes, and what is read back is
    believed only where the secret made it: who can read the store learns no token and no subject, who can
    write it can make no token valid.

    Args:
        url: of the engine: `rediss://user:password@cache.internal:6379/0`; `redis://` without TLS, `unix://`
            for a socket. Connections are made when they are needed, by one client for a process and one for
            each event loop.
        client: instead of a URL, a sync client of redis-py or valkey-py that the program has made: for
            Sentinel (`sentinel.master_for(...)`), Cluster (`RedisCluster`), or with options of its own.
        async_client: an async one of the same engine, for the event loop that uses it first. Without it tasks
            use the sync client on a thread.
        secret: 32 bytes or more in bytes or text, the same in every process. Without it only what needs no
            sealing is shared: replays and revocations.
        prefix: how all names begin.
        timeout: seconds for one command, above 0 and at most 10. After them the store counts as away: then
            nobody waits, until a command finds that it is back.

    Raises:
        ConfigurationError: for anything contradictory or unsafe.

    Examples:
        ```python
        store = RedisStore("rediss://cache.internal", secret=secret)
        server = ResourceServer(provider, dpop=DPoP(nonce=secret), store=store)
        ```
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        client: Any = None,
        async_client: Any = None,
        secret: bytes | str | None = None,
        prefix: str = "bearerguard",
        timeout: float = STORE_TIMEOUT,
    ) -> None:
        _check_where(url, client, async_client)
        if not isinstance(prefix, str) or not re.fullmatch(_PREFIX, prefix):
            raise ConfigurationError(
                f"RedisStore: prefix is {prefix!r:.80}: give 1 to 64 letters, digits, '.', '_' or '-'."
            )
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= 10:
            raise ConfigurationError(
                f"RedisStore: timeout is {timeout!r:.80}: give seconds above 0, and 10 at most."
            )
        self.prefix = prefix
        self.timeout: float = float(timeout)
        self._secret = _checked_secret(secret)
        self._clients = Clients(url, client, async_client, self.timeout)
        self.commands: Commands = Commands(self._clients, self.timeout)
        self.revocations: RevocationStream = RevocationStream(self.commands, prefix, self._secret)
        self._state = EngineState(self.commands, self.timeout)
        self.replays: RedisReplays = RedisReplays(self.commands, prefix, self._secret)
        self.values: RedisValues | None = None
        if self._secret is not None and self.commands.has_sync:
            self.values = RedisValues(self.commands, prefix, self._secret)

    def __repr__(self) -> str:
        return f"RedisStore(prefix={self.prefix!r}, timeout={self.timeout:g})"  # a URL may have a password

    @property
    def is_sealing(self) -> bool:
        """Whether it has a secret, so that key sets and introspection answers are shared too."""
        return self._secret is not None

    def health(self) -> dict[str, Any]:
        """Return whether the engine answers, what it forgets when its memory is full, and the bytes in use.

        On an event loop it is what the last call found, as nothing may be waited for there. What the engine
        does not let this user ask is None. Never raises.
        """
        return self._state.read()

    def close(self) -> None:
        """Close the connections of the process that the store made itself; another use opens new ones."""
        self._clients.close()

    async def aclose(self) -> None:
        """The same, with those of the running event loop. They are closed when the loop ends, too."""
        await self._clients.aclose()


def _check_where(url: Any, client: Any, async_client: Any) -> None:
    if url is None and client is None and async_client is None:
        raise ConfigurationError(
            "RedisStore does not know where the engine is: give a URL, such as 'rediss://cache.internal', or "
            "a client=."
        )
    if url is not None and (client is not None or async_client is not None):
        raise ConfigurationError("RedisStore is given a URL and a client: give one of the two.")
    if url is not None and (not isinstance(url, str) or not url.startswith(_SCHEMES)):
        raise ConfigurationError(
            f"RedisStore: url is not one of {', '.join(_SCHEMES)}...: write 'rediss://cache.internal:6379/0'."
        )
    for name, given, is_async in (("client", client, False), ("async_client", async_client, True)):
        if given is None:
            continue
        if not callable(getattr(given, "execute_command", None)):
            raise ConfigurationError(
                f"RedisStore: {name} is a {type(given).__name__}: give a client of redis-py or valkey-py."
            )
        if (".asyncio." in type(given).__module__) is not is_async:
            other = "client" if is_async else "async_client"
            raise ConfigurationError(
                f"RedisStore: {name} is {'a sync' if is_async else 'an async'} client: give it as {other}=."
            )


def _checked_secret(given: Any) -> bytes | None:
    if given is None:
        return None
    secret = given.encode() if isinstance(given, str) else given
    if not isinstance(secret, bytes):
        raise ConfigurationError(
            f"RedisStore: secret is a {type(given).__name__}: give bytes or text, the same in every process."
        )
    if len(secret) < MIN_STORE_SECRET_BYTES:
        raise ConfigurationError(
            f"RedisStore: secret has {len(secret)} bytes, which could be guessed: give "
            f"{MIN_STORE_SECRET_BYTES} or more, such as secrets.token_urlsafe(32) makes."
        )
    return secret
