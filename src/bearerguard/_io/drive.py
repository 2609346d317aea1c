"""The drivers: the only places that know whether the world is sync or async.

Each performs the effects that a flow yields and sends back their outcome. A flow that never yields is never
driven: see `bearerguard.server`.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from bearerguard._flows.effects import CallSource, FetchFailed, HttpGet, WaitForKeys
from bearerguard._flows.verification import Flow
from bearerguard.token import AccessToken

if TYPE_CHECKING:
    from bearerguard._io.http import Session
    from bearerguard._io.remote_keys import RemoteKeySource

R = TypeVar("R")


class Waiting:
    """A verification that has to wait for keys; to be driven once, by `wait` or by `await`."""

    __slots__ = ("flow",)

    def __init__(self, flow: Flow) -> None:
        self.flow: Flow = flow

    def wait(self) -> AccessToken:
        """Return the verified token; block the thread meanwhile.

        Raises:
            AuthError: the refusal.
        """
        flow, self.flow = self.flow, _driven()
        try:
            effect = next(flow)
            while True:
                effect = flow.send(_source_of(effect).wait(effect.cause))
        except StopIteration as stop:
            return cast("AccessToken", stop.value)

    def __await__(self) -> Generator[Any, Any, AccessToken]:
        return self._suspended().__await__()

    async def _suspended(self) -> AccessToken:
        flow, self.flow = self.flow, _driven()
        try:
            effect = next(flow)
            while True:
                effect = flow.send(await _source_of(effect).wait_async(effect.cause))
        except StopIteration as stop:
            return cast("AccessToken", stop.value)


def _driven() -> Flow:
    """What is left of a flow; driving a finished generator again would return None, and no error."""
    yield from ()
    raise RuntimeError("a verification is waited for once")


def run_fetch(flow: Generator[HttpGet | CallSource, Any, R], session: Session | None) -> R:
    """Drive a fetch of keys, on the thread that the refresh has to itself."""
    try:
        effect = next(flow)
        while True:
            try:
                answer = _perform(effect, session)
            except FetchFailed as failure:
                effect = flow.throw(failure)
            else:
                effect = flow.send(answer)
    except StopIteration as stop:
        return cast("R", stop.value)


def _perform(effect: HttpGet | CallSource, session: Session | None) -> Any:
    if isinstance(effect, HttpGet):
        return cast("Session", session).get(effect)  # an origin with an address has a client
    try:
        material = effect.function()
        if inspect.isawaitable(material):
            import anyio  # noqa: PLC0415 - fetching has loaded it; verifying alone does without

            material = anyio.run(_awaited, material)
    except BaseException as problem:  # noqa: BLE001 - whatever a user's function raises is a failed refresh
        raise FetchFailed("function", f"the key function raised {problem!r}") from None
    return material


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _source_of(effect: WaitForKeys) -> RemoteKeySource:
    # Only fetched keys are ever waited for; given ones are always there.
    return cast("RemoteKeySource", effect.source)
