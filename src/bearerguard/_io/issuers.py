"""The issuers that a function of the program accepted, with what was learnt of them, and those it refused.

Bounded in every direction that a stranger can push: how many are kept, how many are fetched for the first
time, how many refusals are remembered. An issuer under which a token was verified gives way only to another
such. Each has keys and refreshes of its own, so the trouble of one touches no other.
"""

from __future__ import annotations

import inspect
import threading
import weakref
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from bearerguard._core.first_fetches import FirstFetches
from bearerguard._core.proven_first import ProvenFirst
from bearerguard._flows.effects import KeySource, Resolution
from bearerguard._flows.trusting import TrustedIssuer
from bearerguard._io.awaited import awaited
from bearerguard._io.fork import forget_locks
from bearerguard._io.key_sources import KeySources
from bearerguard._limits import (
    ACCEPTANCE_LIFETIME,
    ISSUER_THREADS,
    ISSUERS_A_MINUTE,
    ISSUERS_AT_ONCE,
    NEW_ISSUERS,
    REFUSAL_LIFETIME,
    REFUSED_ISSUERS,
    STALE_ACCEPTANCE,
)
from bearerguard.errors import ConfigurationError
from bearerguard.observe import logger, warn_once
from bearerguard.provider import Provider

Answer = bool | Provider | None
Function = Callable[[str], Answer | Awaitable[Answer]]
"""Says of an issuer that it is trusted (True, or a `Provider` of it) or not."""

_FAILED = Resolution(retry_after=1.0)
_NOBODY = Resolution()


class Issuers:
    """The issuers of one server. Safe to share by threads and event loops.

    Args:
        function: is asked about each.
        options: arguments of `Provider` for those of which it says only True.
        max_issuers: how many are kept under which a token was verified.
        clock: seconds since 1970.
        keys: where their keys are.
    """

    def __init__(
        self,
        function: Function,
        options: Mapping[str, Any],
        *,
        max_issuers: int,
        clock: Callable[[], float],
        keys: KeySources,
    ) -> None:
        self._function = function
        self._options = options
        self._clock = clock
        self._keys = keys
        self._lock = threading.Lock()
        forget_locks(self)
        self._known: ProvenFirst[_Entry] = ProvenFirst(proven=max_issuers, new=NEW_ISSUERS)
        self._refused: dict[str, float] = {}
        self._first_fetches = FirstFetches(ISSUERS_AT_ONCE, ISSUERS_A_MINUTE)
        self._made: weakref.WeakSet[Provider] = weakref.WeakSet()
        self._is_async = _is_async(function)
        self._threads = RunVar[anyio.CapacityLimiter](f"bearerguard issuers {id(self)}")

    # -- asked by the pipeline -----------------------------------------------------------------------

    def get(self, issuer: str, /) -> TrustedIssuer | None:
        """Return who verifies an issuer's tokens; None where that is not known, or not any more."""
        with self._lock:
            entry = self._known.get(issuer)
        return None if entry is None or self._clock() >= entry.ask_at else entry.trusted

    def __contains__(self, issuer: str) -> bool:
        return self.get(issuer) is not None

    def has_refused(self, issuer: str) -> bool:
        """Whether the function said no a moment ago."""
        with self._lock:
            until = self._refused.get(issuer)
        return until is not None and self._clock() < until <= self._clock() + REFUSAL_LIFETIME

    def has_made(self, provider: Provider) -> bool:
        """Whether a provider is of this register: that is, whether a token of it was verified here."""
        return provider in self._made

    # -- asking the function -------------------------------------------------------------------------

    def resolve(self, issuer: str) -> Resolution:
        """Ask the function, blocking the thread."""
        try:
            answer = self._function(issuer)
            if inspect.isawaitable(answer):
                answer = awaited(answer)
            return self._settle(issuer, answer)
        except Exception as problem:  # noqa: BLE001 - whatever a function of the program raises
            return self._without_answer(issuer, problem)

    async def resolve_async(self, issuer: str) -> Resolution:
        """The same for a task of any event loop: an async function runs there, any other in a thread."""
        answer: Any
        try:
            if self._is_async:
                answer = await cast("Awaitable[Answer]", self._function(issuer))
            else:
                limiter = self._limiter()
                function: Callable[[str], Any] = self._function
                answer = await anyio.to_thread.run_sync(
                    function, issuer, limiter=limiter, abandon_on_cancel=True
                )
                if inspect.isawaitable(answer):
                    answer = await answer
            # A provider that it returns may be one whose keys cannot be fetched: that is found out here.
            return await anyio.to_thread.run_sync(self._settle, issuer, answer, limiter=self._limiter())
        except Exception as problem:  # noqa: BLE001 - whatever a function of the program raises
            return self._without_answer(issuer, problem)

    def _limiter(self) -> anyio.CapacityLimiter:
        """One for each event loop: threads that wait for a slow function are not those of the application."""
        try:
            return self._threads.get()
        except LookupError:
            limiter = anyio.CapacityLimiter(ISSUER_THREADS)
            self._threads.set(limiter)
            return limiter

    # -- what its answers mean -----------------------------------------------------------------------

    def _without_answer(self, issuer: str, problem: Exception) -> Resolution:
        """It raised: what it said of a known issuer holds for a while, of any other nobody can tell."""
        log = logger()
        # Its message may have the issuer in it, which nobody has verified.
        log.warning("the function of ResourceServer.trusting raised %s", type(problem).__name__)
        log.debug("the function of ResourceServer.trusting raised", exc_info=problem)
        now = self._clock()
        with self._lock:
            entry = self._known.get(issuer)
            if entry is None or now >= entry.asked_at + ACCEPTANCE_LIFETIME + STALE_ACCEPTANCE:
                return _FAILED
            entry.ask_at = now + REFUSAL_LIFETIME
            return Resolution(entry.trusted)

    def _settle(self, issuer: str, answer: Any) -> Resolution:
        provider = self._provider_of(issuer, answer)
        if provider is None:
            self._refuse(issuer)
            return _NOBODY
        now = self._clock()
        with self._lock:
            entry = self._known.get(issuer)
            if entry is not None and (answer is True or entry.trusted.provider is answer):
                entry.asked_at, entry.ask_at = now, now + ACCEPTANCE_LIFETIME
                return Resolution(entry.trusted)
            if entry is not None:
                self._known.remove(issuer)
                self._keys.remove(issuer)
            if provider.key_set is None:
                begun = self._first_fetches.begin(now, sum(one.is_asking for one in self._known.unproven()))
                if begun is None:
                    return Resolution(retry_after=self._first_fetches.rest(now))
                self._first_fetches = begun
            return Resolution(self._add(issuer, provider, now))

    def _provider_of(self, issuer: str, answer: Any) -> Provider | None:
        """The provider that an answer stands for; None where it is a no, or cannot be followed."""
        if answer is True:
            return Provider(issuer, **self._options)
        if isinstance(answer, Provider):
            if answer.issuer == issuer and not is_of_many(answer):
                return answer
            warn_once(
                "the function of ResourceServer.trusting returned a Provider of another issuer than it was "
                "asked about, or of more than one: the token is refused"
            )
        elif answer is not False and answer is not None:
            warn_once(
                f"the function of ResourceServer.trusting returned a {type(answer).__name__}: only True and "
                "a Provider accept an issuer"
            )
        return None

    def _add(self, issuer: str, provider: Provider, now: float) -> TrustedIssuer:
        source = cast("KeySource", self._keys.add(provider, name=issuer))
        trusted = TrustedIssuer(provider, source, self._clock, partial(self._prove, issuer))
        self._made.add(provider)
        self._let_go(self._known.add(issuer, _Entry(trusted, now)))
        return trusted

    def _refuse(self, issuer: str) -> None:
        with self._lock:
            self._refused.pop(issuer, None)
            self._refused[issuer] = self._clock() + REFUSAL_LIFETIME
            while len(self._refused) > REFUSED_ISSUERS:
                del self._refused[next(iter(self._refused))]
            if self._known.get(issuer) is not None:
                self._known.remove(issuer)
                self._keys.remove(issuer)

    def _prove(self, issuer: str) -> None:
        with self._lock:
            self._let_go(self._known.prove(issuer))

    def _let_go(self, entries: list[_Entry]) -> None:
        for entry in entries:
            self._keys.remove(cast("str", entry.trusted.provider.issuer))


class _Entry:
    """An issuer that is known, and since when."""

    __slots__ = ("ask_at", "asked_at", "trusted")

    def __init__(self, trusted: TrustedIssuer, now: float) -> None:
        self.trusted = trusted
        self.asked_at = now
        self.ask_at = now + ACCEPTANCE_LIFETIME

    @property
    def is_asking(self) -> bool:
        """Whether its keys are being fetched."""
        return bool(getattr(self.trusted.source, "is_asking", False))


def is_of_many(provider: Provider) -> bool:
    """Whether it is more than one issuer whose tokens come in `Authorization` and are verified here."""
    return (
        provider.issuer_template is not None
        or bool(provider.issuer_aliases)
        or provider.source is not None
        or provider.introspection is not None
    )


def check_arguments(function: Any, max_issuers: Any, options: Mapping[str, Any]) -> Provider:
    """Find out now what is wrong with the arguments of `trusting`; return a provider with the options.

    Raises:
        ConfigurationError: one that cannot be used, or not for many issuers.
    """
    if not callable(function):
        raise ConfigurationError(
            f"ResourceServer.trusting is given a {type(function).__name__}: give a function of the "
            "issuer; for issuers that you can name, write ResourceServer(Provider(...), Provider(...))."
        )
    if max_issuers.__class__ is not int or max_issuers < 1:
        raise ConfigurationError(f"max_issuers is {max_issuers!r:.80}: give a number from 1 up.")
    for name in ("issuer", "name", "tenants", "issuer_aliases", "trust_domain", "signer"):
        if name in options:
            raise ConfigurationError(
                f"ResourceServer.trusting is given {name}=: it is for one provider; have the function "
                "return a Provider, or leave it out."
            )
    for name in ("source", "introspection", "dangerously_accept_any_issuer"):
        if options.get(name):
            raise ConfigurationError(
                f"ResourceServer.trusting is given {name}=, which goes with providers that are known when "
                "the program starts: leave it out."
            )
    settings: dict[str, Any] = {"audience": None, **options}
    probe = Provider("https://issuer.invalid", **settings)
    remote = probe.remote_keys
    if (
        remote is None
        or remote.url is not None
        or remote.function is not None
        or remote.metadata_url is not None
    ):
        raise ConfigurationError(
            "ResourceServer.trusting is given keys= that are the same for all issuers, so that each could "
            "sign for every other: leave it out, or give RemoteKeys() without an address. For tenants "
            "whose provider has common keys, write Provider('https://login.example/{tid}/v2.0', "
            "tenants=...)."
        )
    return probe


def _is_async(function: Any) -> bool:
    function = getattr(function, "func", function)  # of a functools.partial
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - of an object with an `async def __call__`
    )
