"""The drivers: the only places that know whether the world is sync or async.

Each performs the effects that a flow yields and sends back their outcome. A flow that never yields is never
driven: see `bearerguard.server`.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio

from bearerguard._flows.effects import CallSource, FetchFailed, HttpGet, WaitForKeys

if TYPE_CHECKING:
    from bearerguard._io.fetched_keys import FetchedKeys
    from bearerguard._io.http import Session

R = TypeVar("R")


def run_sync(flow: Generator[WaitForKeys, float | None, R]) -> R:
    """Drive a verification, blocking the thread while it waits."""
    try:
        effect = next(flow)
        while True:
            effect = flow.send(_source_of(effect).wait(effect.cause))
    except StopIteration as stop:
        return cast("R", stop.value)


async def run_async(flow: Generator[WaitForKeys, float | None, R]) -> R:
    """Drive a verification, suspending the task while it waits."""
    try:
        effect = next(flow)
        while True:
            effect = flow.send(await _source_of(effect).wait_async(effect.cause))
    except StopIteration as stop:
        return cast("R", stop.value)


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
            material = anyio.run(_awaited, material)
    except BaseException as problem:  # noqa: BLE001 - whatever a user's function raises is a failed refresh
        raise FetchFailed("function", f"the key function raised {problem!r}") from None
    return material


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _source_of(effect: WaitForKeys) -> FetchedKeys:
    # Only fetched keys are ever waited for; given ones are always there.
    return cast("FetchedKeys", effect.source)
