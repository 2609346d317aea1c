"""What tells an observer of a server's decisions, and of what the server asks others for.

It stands around what decides, put there when a server is built: one that nobody observes has none of it in
the way of a request. It decides nothing, and nothing that an observer does changes an answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bearerguard._core.credentials import BEARER
from bearerguard._limits import QUIET
from bearerguard.errors import AuthError, ConfigurationError, InvalidRequest
from bearerguard.observe import E, Observer, Refusals, logger
from bearerguard.request import Incoming
from bearerguard.token import AccessToken

if TYPE_CHECKING:
    from bearerguard._flows.pipeline import Pipeline, Stages

__all__: list[str] = []

METHODS = ("decided", "refreshed", "asked", "store")


class Told:
    """An observer that may raise: it is logged once a minute, and nobody else notices.

    Args:
        observer: the program's.

    Raises:
        ConfigurationError: it lacks a method.
    """

    def __init__(self, observer: Observer) -> None:
        missing = [name for name in METHODS if not callable(getattr(observer, name, None))]
        if missing:
            raise ConfigurationError(
                f"observer is a {type(observer).__name__} without {_listed(missing)}: derive it from "
                "bearerguard.observe.Observer."
            )
        self.observer = observer
        self._logged_at = -QUIET

    def refused(self, error: AuthError, provider: str | None) -> None:
        """Tell of a refusal."""
        try:
            self.observer.decided(error, provider, error.seconds or 0.0, False, False)
        except Exception as problem:  # noqa: BLE001 - of the program's own; it must not refuse a request
            self.raised(problem)

    def refreshed(self, operation: str, provider: str | None, seconds: float, failure: str | None) -> None:
        """Tell that an issuer was asked."""
        try:
            self.observer.refreshed(operation, provider, seconds, failure)
        except Exception as problem:  # noqa: BLE001 - as above
            self.raised(problem)

    def asked(self, provider: str, seconds: float, failure: str | None) -> None:
        """Tell that a provider was asked about a token."""
        try:
            self.observer.asked(provider, seconds, failure)
        except Exception as problem:  # noqa: BLE001 - as above
            self.raised(problem)

    def stored(self, operation: str, seconds: float, failure: str | None) -> None:
        """Tell that a store was asked."""
        try:
            self.observer.store(operation, seconds, failure)
        except Exception as problem:  # noqa: BLE001 - as above
            self.raised(problem)

    def raised(self, problem: Exception) -> None:
        """Log that the observer raised."""
        now = perf_counter()
        if now - self._logged_at >= QUIET:
            self._logged_at = now
            kind = type(self.observer).__name__
            logger().error("the observer %s raised, which changes no decision", kind, exc_info=problem)


class ObservedRefusals(Refusals):
    """Logs why requests are refused, and tells it.

    Args:
        clock: seconds since 1970.
        told: the observer.
        is_named: whether the program names its providers.
    """

    def __init__(self, clock: Callable[[], float], told: Told, *, is_named: bool) -> None:
        super().__init__(clock)
        self._told = told
        self._is_named = is_named

    def log(self, error: E, request: Incoming | None = None) -> E:
        """Log and tell; return the error."""
        super().log(error, request)
        provider = error.provider if self._is_named else None
        self._told.refused(error, provider)
        return error


class ObservedPipeline:
    """A pipeline that tells of each token that it accepts, and notes how long a refusal took.

    Stands in the place of the one that it asks.

    Args:
        pipeline: decides.
        told: the observer.
        is_named: whether the program names its providers.
    """

    # No `__getattr__`: with one, Python looks everything up the slow way.
    __slots__ = (
        "_decide",
        "_decided",
        "_due_at",
        "_is_named",
        "_sources",
        "_told",
        "apart",
        "trusted_for",
        "unbound",
    )

    def __init__(self, pipeline: Pipeline, told: Told, *, is_named: bool) -> None:
        self._decide: Callable[..., Any] = pipeline.admit
        self._decided = told.observer.decided
        self._told = told
        self._is_named = is_named
        self._sources = tuple(source for _, source in pipeline._trusted)  # noqa: SLF001 - it stands in its place
        self._due_at = -math.inf
        self.apart = pipeline.apart  # of these nothing is told
        self.unbound = pipeline.unbound
        self.trusted_for = pipeline.trusted_for

    def admit(
        self,
        text: bytes,
        request: Incoming | None = None,
        scheme: str = BEARER,
        resource: str | None = None,
        start: int = 0,
    ) -> Any:
        """Decide, and tell; as `Pipeline.admit`."""
        decide = self._decide
        since = perf_counter()
        try:
            outcome = decide(text, request, scheme, resource, start)
        except AuthError as error:
            if not isinstance(error, InvalidRequest):  # which has no token to look at
                error.seconds = perf_counter() - since
            raise
        if type(outcome) is not AccessToken:
            return self._waited(outcome, since)
        # Nothing is called here that need not be: each call would be a tenth of what telling costs.
        decided = self._decided
        try:
            decided(
                outcome,
                outcome._signed.provider.name if self._is_named else None,  # noqa: SLF001 - a property would be a call
                perf_counter() - since,
                outcome._claims is None,  # noqa: SLF001 - of a token that is remembered they are not read again
                outcome._verified_at >= self._due_at and self._is_stale(outcome),  # noqa: SLF001 - as above
            )
        except Exception as problem:  # noqa: BLE001 - as in `Told`
            self._told.raised(problem)
        return outcome

    def _is_stale(self, token: AccessToken) -> bool:
        """The same as `is_stale`; notes until when nothing can be, as keys give way only to newer ones."""
        found = [source.key_set for source in self._sources]
        times = [-math.inf if one is None else one.refresh_at for one in found]
        self._due_at = min(times, default=-math.inf)
        return is_stale(token)

    def _waited(self, stages: Stages, since: float) -> Stages:
        try:
            token = yield from stages
        except AuthError as error:
            error.seconds = perf_counter() - since
            raise
        name = token.provider.name if self._is_named else None
        try:
            self._decided(token, name, perf_counter() - since, False, is_stale(token))
        except Exception as problem:  # noqa: BLE001 - as in `Told`
            self._told.raised(problem)
        return token


def is_stale(token: AccessToken) -> bool:
    """Whether the keys that a token was accepted by are past their lifetime."""
    signed: Any = token._signed  # noqa: SLF001 - a verdict: programs are told nothing of keys
    key_set, now = signed.source.key_set, token._verified_at  # noqa: SLF001 - as above
    return bool(key_set is not None and now >= key_set.fetched_at + key_set.lifetime)


def _listed(names: Iterable[str]) -> str:
    return " and ".join(f"{name}()" for name in names)
