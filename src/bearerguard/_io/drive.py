"""The drivers: each performs the effects that a flow yields, and sends back their outcome.

`perform` and `aperform` are the two places where an admission has a colour, sync or async; `run_fetch` drives
the fetches of the refresh thread, which is always sync. A flow that never yields is never driven: see
`bearerguard.server`.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar, assert_never, cast

from bearerguard._flows.effects import CallSource, FetchFailed, HttpGet, WaitForKeys
from bearerguard._flows.pipeline import Effect, Stages
from bearerguard.token import AccessToken

if TYPE_CHECKING:
    from bearerguard._io.http import Session
    from bearerguard._io.remote_keys import RemoteKeySource

R = TypeVar("R")


def perform(effect: Effect) -> Any:
    """Carry out an effect; block the thread meanwhile."""
    match effect:
        case WaitForKeys():
            return _source_of(effect).wait(effect.cause)
        case _:
            assert_never(effect)


async def aperform(effect: Effect) -> Any:
    """Carry out an effect; suspend the task meanwhile."""
    match effect:
        case WaitForKeys():
            return await _source_of(effect).wait_async(effect.cause)
        case _:
            assert_never(effect)


class Admission:
    """An admission that has to wait; to be driven once, by `wait` or by `await`."""

    __slots__ = ("stages",)

    def __init__(self, stages: Stages) -> None:
        self.stages: Stages = stages

    def wait(self) -> AccessToken:
        """Return the verified token; block the thread meanwhile.

        Raises:
            AuthError: the refusal.
        """
        stages, self.stages = self.stages, _driven()
        try:
            effect = next(stages)
            while True:
                effect = stages.send(perform(effect))
        except StopIteration as stop:
            return cast("AccessToken", stop.value)

    def __await__(self) -> Generator[Any, Any, AccessToken]:
        return self._suspended().__await__()

    async def _suspended(self) -> AccessToken:
        stages, self.stages = self.stages, _driven()
        try:
            effect = next(stages)
            while True:
                effect = stages.send(await aperform(effect))
        except StopIteration as stop:
            return cast("AccessToken", stop.value)


def _driven() -> Stages:
    """The rest of a flow that was driven: a finished generator would return None, without an error."""
    yield from ()
    raise RuntimeError("this admission has been waited for already: wait once, and keep its token")


def run_fetch(flow: Generator[HttpGet | CallSource, Any, R], session: Session | None) -> R:
    """Drive a fetch of keys, on the thread that the refresh has to itself."""
    try:
        effect = next(flow)
        while True:
            try:
                answer = _perform_fetch(effect, session)
            except FetchFailed as failure:
                effect = flow.throw(failure)
            else:
                effect = flow.send(answer)
    except StopIteration as stop:
        return cast("R", stop.value)


def _perform_fetch(effect: HttpGet | CallSource, session: Session | None) -> Any:
    match effect:
        case HttpGet():
            return cast("Session", session).get(effect)  # an origin with an address has a client
        case CallSource():
            return _called(effect)
        case _:
            assert_never(effect)


def _called(effect: CallSource) -> Any:
    try:
        material = effect.function()
        if inspect.isawaitable(material):
            import anyio  # noqa: PLC0415 - fetching has loaded it; mere verifying does without

            material = anyio.run(_awaited, material)
    except BaseException as problem:  # noqa: BLE001 - whatever a user's function raises is a failed refresh
        raise FetchFailed("function", f"the key function raised {problem!r}") from None
    return material


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _source_of(effect: WaitForKeys) -> RemoteKeySource:
    # Only fetched keys are ever waited for; given ones are always there.
    return cast("RemoteKeySource", effect.source)
