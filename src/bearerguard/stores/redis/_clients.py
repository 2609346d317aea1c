"""The clients of one engine: a sync one for each process, an async one for each event loop, made when needed.

Our own fail within the store's deadline and try nothing twice: whether a command that failed has changed
something, nobody knows. What a program made itself is used as it is. Nothing here says what a failure means.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import weakref
from collections.abc import AsyncGenerator
from importlib.util import find_spec
from threading import Semaphore
from typing import Any
from urllib.parse import urlsplit

from bearerguard._core.address import is_loopback
from bearerguard._extra import extra
from bearerguard._limits import STORE_CONNECTIONS, STORE_KEPT
from bearerguard.stores.redis._kept_client import KeptClient

with extra("redis"):
    import redis
    import redis.asyncio
    from redis.backoff import NoBackoff
    from redis.retry import Retry

_UNNAMED: dict[str, None] = (
    {"driver_info": None} if find_spec("redis.driver_info") else {"lib_name": None, "lib_version": None}
)
"""Else each connection reads the version of the package from disk, and tells the engine."""


class Clients:
    """The clients of one engine. Safe to share by threads, event loops and forked processes.

    Args:
        url: of the engine, for clients of our own; or None.
        client: a sync client of the program's; or None.
        async_client: an async one, which serves the event loop that uses it first; or None.
        seconds: the deadline of our own.

    Attributes:
        is_given: whether the sync client is the program's, so that its deadlines are not ours.
    """

    def __init__(self, url: str | None, client: Any, async_client: Any, seconds: float) -> None:
        self._url = url
        self._given = client
        self._given_async = async_client
        self._seconds = seconds
        self._ours: _OfOneProcess | None = None
        self._async: dict[Any, tuple[Any, AsyncGenerator[None]]] = {}
        self._loop_of_given: weakref.ref[Any] | None = None
        self.is_given: bool = client is not None

    @property
    def has_sync(self) -> bool:
        """Whether a thread can ask."""
        return self._given is not None or self._url is not None

    @property
    def is_unencrypted(self) -> bool:
        """Whether the URL leads to another machine without TLS; of a program's own client it is not known."""
        if self._url is None or not self._url.startswith("redis://"):
            return False
        return not is_loopback(urlsplit(self._url).hostname or "localhost")  # as redis-py takes it

    def lend(self) -> Any:
        """Return a client for one command of a thread, to be given back; None where there is not any."""
        if self._url is None:
            return self._given
        ours = self._ours
        if ours is None or ours.pid != os.getpid():  # its sockets are the parent's
            # Two threads at the same moment may make two, of which one is used on.
            ours = self._ours = _OfOneProcess(redis.Redis.from_pool(_pool(redis, self._url, self._seconds)))
        try:
            kept = ours.kept.pop()
        except IndexError:
            return ours.pooled
        if kept.is_quiet():
            return kept
        ours.drop(kept)
        return ours.pooled

    def take_back(self, client: Any, *, is_sound: bool) -> None:
        """Keep what was lent, or what it has used, for the next command.

        Args:
            client: what was lent.
            is_sound: whether its command was answered: else the answer may come yet, and be taken for that
                to the next; and the other connections may lead nowhere too.
        """
        ours = self._ours
        if ours is None or client is None or self._url is None:
            if isinstance(client, KeptClient):
                client.end()
        elif client is ours.pooled:
            if is_sound:
                ours.keep_one_more()
            else:
                ours.drop_idle()
        elif isinstance(client, KeptClient):
            if client.connection_pool is not ours.pooled.connection_pool:  # it was lent before we were closed
                client.end()
            elif is_sound:
                ours.kept.append(client)
            else:
                ours.drop(client)
                ours.drop_idle()

    async def on_this_loop(self) -> Any:
        """Return the client of the running event loop; None where a thread has to ask."""
        try:
            if asyncio.current_task() is None:  # trio as a guest of asyncio
                return None
        except RuntimeError:
            return None
        loop = asyncio.get_running_loop()
        if self._given_async is not None:
            first = None if self._loop_of_given is None else self._loop_of_given()
            if first is None or first.is_closed():
                self._loop_of_given = weakref.ref(loop)
                return self._given_async
            if first is loop:
                return self._given_async
        if self._url is None:
            return None
        known = self._async.get(loop)
        if known is None:
            for closed in [one for one in list(self._async) if one.is_closed()]:
                self._async.pop(closed, None)
            client = redis.asyncio.Redis.from_pool(_pool(redis.asyncio, self._url, self._seconds))
            ending = self._closed_with(loop, client)
            self._async[loop] = known = client, ending
            await anext(ending)
        return known[0]

    def close(self) -> None:
        """Close the connections of our own sync clients; the next use opens new ones."""
        ours, self._ours = self._ours, None
        if ours is not None:
            ours.drop_idle()
            ours.pooled.close()

    async def aclose(self) -> None:
        """Close those of the running event loop, and the sync ones."""
        self.close()
        try:
            known = self._async.pop(asyncio.get_running_loop(), None)
        except RuntimeError:  # trio
            return
        if known is not None:
            await known[1].aclose()

    async def _closed_with(self, loop: Any, client: Any) -> AsyncGenerator[None]:
        """Close a client when its event loop ends: a loop closes the generators that were begun on it."""
        try:
            yield
        finally:
            self._async.pop(loop, None)
            await client.aclose()


class _OfOneProcess:
    """The sync clients of one process, until they are closed.

    Args:
        pooled: takes a connection out of its pool for each command.

    Attributes:
        pid: of the process.
        kept: those with a connection to themselves that no thread uses at the moment.
        places: for those that may be made yet. Half of the connections at least stay in the pool for others.
    """

    def __init__(self, pooled: Any) -> None:
        self.pid = os.getpid()
        self.pooled = pooled
        self.kept: list[KeptClient] = []
        self.places = Semaphore(min(STORE_KEPT, pooled.connection_pool.max_connections // 2))

    def keep_one_more(self) -> None:
        """Make one of a connection that was used a moment ago, if there is a place for it."""
        if not self.places.acquire(blocking=False):
            return
        is_made = False
        try:
            with contextlib.suppress(redis.RedisError, OSError):
                self.kept.append(KeptClient(self.pooled.connection_pool))
                is_made = True
        finally:
            if not is_made:
                self.places.release()

    def drop(self, kept: KeptClient) -> None:
        """Close the connection of one that was taken; there is a place for another."""
        kept.end()
        self.places.release()

    def drop_idle(self) -> None:
        """Close those that no thread uses."""
        with contextlib.suppress(IndexError):
            while True:
                self.drop(self.kept.pop())


def _pool(library: Any, url: str, seconds: float) -> Any:
    # RESP2 greets by no command, and redis-py 8.0 cannot use a socket of the machine with RESP3. Over TLS
    # there has to be a greeting: else redis-py takes the session tickets, which come unasked, for an answer.
    pool = library.BlockingConnectionPool.from_url(
        url,
        max_connections=STORE_CONNECTIONS,
        timeout=seconds,
        protocol=3 if url.startswith("rediss://") else 2,
    )
    # Here, as what stands in the query of the URL would win over arguments.
    pool.connection_kwargs.update(
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=_retry(library),
        retry_on_error=[],
        **_UNNAMED,
    )
    return pool


def _retry(library: Any) -> Any:
    if library is redis:
        return Retry(NoBackoff(), 0)
    from redis.asyncio.retry import Retry as AsyncRetry  # noqa: PLC0415 - for those with an event loop

    return AsyncRetry(NoBackoff(), 0)
