"""One command at a time at an engine, within a deadline and behind a breaker, for threads and for tasks.

Everything that asks a Redis goes through here. Nothing is tried twice, and nothing here knows what a command
is for, or what follows where it failed.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from bearerguard._core.breaker import Breaker
from bearerguard._flows.effects import StoreFailed
from bearerguard._limits import STORE_FAILURES, STORE_FIRST_REST, STORE_LONGEST_REST, STORE_THREADS
from bearerguard.errors import ConfigurationError
from bearerguard.observe import logger
from bearerguard.stores.redis._clients import Clients
from bearerguard.stores.redis._telling import Tell, Telling

if TYPE_CHECKING:
    import anyio

Ask = Callable[[Any], Any]
"""What asks a client: `lambda client: client.get(name)`. An async client returns what is then awaited."""


class Commands:
    """Runs commands at one engine. Safe to share by threads, event loops and forked processes.

    What everybody who asks the engine has to know:

    - `run(ask)` blocks the thread, `await arun(ask)` suspends the task (asyncio; on trio, and where the
      client belongs to another loop, a thread asks). `ask` is given a client of redis-py's or valkey's, sync
      or async, single or Cluster, and calls one method of it.
    - Either takes the store's deadline at most. Then, and at once for as long as the breaker rests, it raises
      `StoreFailed`, whose `retry_after` is when to come back. It raises nothing else for what an engine does.
    - No command blocks in the engine: a client of the program's own may have any `socket_timeout`.
    - Texts in the reply are bytes, whatever the client decodes: also those in lists, tuples and dicts.
    - A failure is logged once, until a command has succeeded.

    Args:
        clients: which ask.
        seconds: the deadline.
        clock: seconds that never go back.

    Attributes:
        is_reachable: whether the last command was answered; None before the first.
        tells: what is told of each command.
    """

    def __init__(
        self, clients: Clients, seconds: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clients = clients
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._breaker = _closed_breaker()
        self._told: str | None = None
        self._threads: Any = None
        self.is_reachable: bool | None = None
        self.tells: tuple[Tell, ...] = ()

    @property
    def has_sync(self) -> bool:
        """Whether a thread can ask."""
        return self._clients.has_sync

    @property
    def is_unencrypted(self) -> bool:
        """Whether commands go over a network without TLS, as far as the store's URL says."""
        return self._clients.is_unencrypted

    def rest(self) -> float:
        """Return for how many seconds the engine is left alone; 0 where it is asked."""
        return self._breaker.rest(self._clock())

    def run(self, ask: Ask, *, is_optional: bool = False) -> Any:
        """Return what a command brings; block the thread meanwhile.

        Args:
            ask: calls one method of the client that it is given.
            is_optional: whether we can do without it, so that a refusal is not worth a warning.

        Raises:
            StoreFailed: the engine did not answer, refused, or is left alone.
            ConfigurationError: there is not a sync client.
        """
        if not self._clients.has_sync:
            raise ConfigurationError(
                "RedisStore has only an async client, and a thread has to ask the store: give client= as "
                "well, or a URL."
            )
        if self.tells:
            with Telling(self.tells) as telling:
                return self._run(telling.noting(ask), is_optional=is_optional)
        return self._run(ask, is_optional=is_optional)

    def _run(self, ask: Ask, *, is_optional: bool) -> Any:
        is_probe, client, is_sound = self._begin(), None, False
        try:
            client = self._clients.lend()
            reply = _within(self._seconds, partial(ask, client)) if self._clients.is_given else ask(client)
            is_sound = True
        except Exception as problem:  # noqa: BLE001 - whatever a client raises, the store is away
            is_sound = _is_answer(problem)
            raise self._failed(problem, is_probe=is_probe, is_optional=is_optional) from None
        except BaseException:
            self._given_up(is_probe=is_probe)
            raise
        finally:
            self._clients.take_back(client, is_sound=is_sound)
        return self._answered(reply)

    async def arun(self, ask: Ask) -> Any:
        """The same as `run`, for a task of any event loop. One that is cancelled harms no other.

        Raises:
            StoreFailed: as `run`.
            ConfigurationError: on trio, or a further event loop, there is not a sync client.
        """
        client = await self._clients.on_this_loop()
        if client is None:
            return await self._on_a_thread(ask)
        if self.tells:
            with Telling(self.tells) as telling:
                return await self._arun(telling.noting(ask), client)
        return await self._arun(ask, client)

    async def _arun(self, ask: Ask, client: Any) -> Any:
        is_probe = self._begin()
        try:
            async with asyncio.timeout(self._seconds):
                reply = await cast("Awaitable[Any]", ask(client))
        except Exception as problem:  # noqa: BLE001 - as above
            raise self._failed(problem, is_probe=is_probe) from None
        except BaseException:
            self._given_up(is_probe=is_probe)
            raise
        return self._answered(reply)

    async def _on_a_thread(self, ask: Ask) -> Any:
        import anyio.to_thread  # noqa: PLC0415 - loaded by those without a client for their loop

        rest = self.rest()
        if rest > 0:
            raise _resting(rest)  # so that nobody waits for a thread meanwhile
        return await anyio.to_thread.run_sync(
            self.run, ask, limiter=self._limiter(anyio), abandon_on_cancel=True
        )

    def _limiter(self, library: Any) -> anyio.CapacityLimiter:
        """One for each event loop: threads that wait for the store are not those of the application."""
        from anyio.lowlevel import RunVar  # noqa: PLC0415 - as above

        if self._threads is None:
            self._threads = RunVar(f"bearerguard store {id(self)}")
        try:
            limiter = self._threads.get()
        except LookupError:
            limiter = library.CapacityLimiter(STORE_THREADS)
            self._threads.set(limiter)
        return cast("anyio.CapacityLimiter", limiter)

    # -- the breaker ---------------------------------------------------------------------------------

    def _begin(self) -> bool:
        """Return whether the command is a probe.

        Raises:
            StoreFailed: the engine is left alone.
        """
        if self._pid != os.getpid():
            # Whoever held the lock, or was probing, stayed in the parent.
            self._lock, self._breaker, self._pid = threading.Lock(), _closed_breaker(), os.getpid()
        if not self._breaker.failures:
            return False  # without the lock: as nearly always
        with self._lock:
            rest = self._breaker.rest(self._clock())
            if rest > 0:
                raise _resting(rest)
            is_probe = self._breaker.opened_at is not None
            self._breaker = self._breaker.begun()
            return is_probe

    def _answered(self, reply: Any) -> Any:
        self._heard()
        return _as_bytes(reply)

    def _heard(self) -> None:
        if self._breaker.failures:
            with self._lock:
                self._breaker = self._breaker.succeeded()
        if self._told is not None or not self.is_reachable:
            if self._told is not None:
                logger().info("the store answers again")
            self._told, self.is_reachable = None, True

    def _failed(self, problem: Exception, *, is_probe: bool, is_optional: bool = False) -> StoreFailed:
        if _is_answer(problem):
            # It is there, and said no: nobody has to wait for that, and another command may be let in.
            self._heard()
            failure = StoreFailed("refused", f"{type(problem).__name__}: {problem}"[:200])
            if is_optional:
                return failure
        else:
            kind = "timeout" if _is_timeout(problem) else "connection"
            with self._lock:
                self._breaker = self._breaker.failed(self._clock(), is_probe=is_probe)
            self.is_reachable = False
            failure = StoreFailed(kind, f"{type(problem).__name__}: {problem}"[:200])
        if self._told != failure.kind:
            self._told = failure.kind
            logger().warning("the store cannot be used (%s): %s", failure.kind, failure)
        return failure

    def _given_up(self, *, is_probe: bool) -> None:
        """Nobody will say what came of it: a task was cancelled, or the program ends."""
        if is_probe:
            with self._lock:
                self._breaker = self._breaker.without_probe()


def _resting(rest: float) -> StoreFailed:
    return StoreFailed("resting", "the store did not answer a moment ago", retry_after=max(1.0, rest))


def _closed_breaker() -> Breaker:
    return Breaker(limit=STORE_FAILURES, first=STORE_FIRST_REST, longest=STORE_LONGEST_REST)


def _is_answer(problem: Exception) -> bool:
    """Whether the engine itself answered with an error; by name, as redis and valkey differ in classes."""
    names = {kind.__name__ for kind in type(problem).__mro__}
    return "ResponseError" in names and "ConnectionError" not in names


def _is_timeout(problem: Exception) -> bool:
    return any(kind.__name__ == "TimeoutError" for kind in type(problem).__mro__)


def _within(seconds: float, ask: Callable[[], Any]) -> Any:
    """Call a client of the program's own, whose deadlines may be any, on a thread that is left behind.

    Raises:
        TimeoutError: it did not answer in time.
    """
    outcome: list[Any] = []
    done = threading.Lock()
    done.acquire()

    def call() -> None:
        try:
            outcome.append((ask(), None))
        except BaseException as problem:  # noqa: BLE001 - raised where somebody waits for it
            outcome.append((None, problem))
        done.release()

    threading.Thread(target=call, name="bearerguard asks the store", daemon=True).start()
    if not done.acquire(timeout=seconds):
        raise TimeoutError(f"no answer within {seconds:g} s")
    reply, problem = outcome[0]
    if problem is not None:
        raise problem
    return reply


def _as_bytes(reply: Any) -> Any:
    """A reply with texts as bytes, as a client that decodes nothing would have it."""
    if isinstance(reply, str):
        return reply.encode()
    if isinstance(reply, list | tuple):
        return type(reply)(_as_bytes(one) for one in reply)
    if isinstance(reply, dict):
        return {_as_bytes(name): _as_bytes(value) for name, value in reply.items()}
    return reply
