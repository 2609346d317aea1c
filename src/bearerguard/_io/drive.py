"""The drivers: each performs the effects that a flow yields, and sends back their outcome.

`perform` and `aperform` are the two places where an admission has a colour, sync or async; `run_fetch` drives
the fetches of the refresh thread, and `run_question` the
questions about tokens, which have threads of their own. A flow that never yields is never driven: see
`bearerguard.server`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, assert_never, cast

from bearerguard._flows.effects import (
    Answered,
    AskIntrospection,
    AskReplays,
    CallSource,
    FetchFailed,
    HearRevocations,
    HttpGet,
    HttpPost,
    QuestionFailed,
    ResolveIssuer,
    SpendOnce,
    WaitForKeys,
    WantMetadata,
    WriteRevocation,
)
from bearerguard._flows.jwt import Effect
from bearerguard._io.awaited import awaited
from bearerguard.token import AccessToken

if TYPE_CHECKING:
    from bearerguard._flows.introspection_client import Asking
    from bearerguard._io.http import Session
    from bearerguard._io.introspection_source import IntrospectionSource
    from bearerguard._io.issuers import Issuers
    from bearerguard._io.remote_keys import RemoteKeySource
    from bearerguard._io.revocations import Revocations

R = TypeVar("R")
E = TypeVar("E")


def perform(effect: Effect) -> Any:
    """Carry out an effect; block the thread meanwhile."""
    match effect:
        case WaitForKeys():
            return _source_of(effect).wait(effect.cause)
        case AskIntrospection():
            return _asked_of(effect).ask(effect.token, effect.digest)
        case ResolveIssuer():
            return _register_of(effect).resolve(effect.issuer)
        case AskReplays():
            return effect.store.ask(effect.key, effect.seconds)
        case HearRevocations():
            return _kept_by(effect).hear()
        case WriteRevocation():
            return _kept_by(effect).write(effect.entry)
        case SpendOnce():
            return _kept_by(effect).spend(effect.name, effect.seconds)
        case _:
            assert_never(effect)


async def aperform(effect: Effect) -> Any:
    """Carry out an effect; suspend the task meanwhile."""
    match effect:
        case WaitForKeys():
            return await _source_of(effect).wait_async(effect.cause)
        case AskIntrospection():
            return await _asked_of(effect).ask_async(effect.token, effect.digest)
        case ResolveIssuer():
            return await _register_of(effect).resolve_async(effect.issuer)
        case AskReplays():
            return await effect.store.ask_async(effect.key, effect.seconds)
        case HearRevocations():
            return await _kept_by(effect).hear_async()
        case WriteRevocation():
            return await _kept_by(effect).write_async(effect.entry)
        case SpendOnce():
            return await _kept_by(effect).spend_async(effect.name, effect.seconds)
        case _:
            assert_never(effect)


class Driven(Generic[R]):
    """A flow that may have to wait; to be driven once, by `wait` or by `await`."""

    __slots__ = ("stages",)

    def __init__(self, stages: Generator[Effect, Any, R]) -> None:
        self.stages: Generator[Effect, Any, R] = stages

    def wait(self) -> R:
        """Return what comes of it; block the thread meanwhile.

        Raises:
            AuthError: the refusal.
        """
        stages, self.stages = self.stages, _driven()
        try:
            effect = next(stages)
            while True:
                effect = stages.send(perform(effect))
        except StopIteration as stop:
            return cast("R", stop.value)

    def __await__(self) -> Generator[Any, Any, R]:
        return self._suspended().__await__()

    async def _suspended(self) -> R:
        stages, self.stages = self.stages, _driven()
        try:
            effect = next(stages)
            while True:
                effect = stages.send(await aperform(effect))
        except StopIteration as stop:
            return cast("R", stop.value)


class Admission(Driven[AccessToken]):
    """An admission that has to wait; it brings the verified token."""

    __slots__ = ()


def _driven() -> Generator[Effect, Any, Any]:
    """The rest of a flow that was driven: a finished generator would return None, without an error."""
    yield from ()
    raise RuntimeError("this admission has been waited for already: wait once, and keep its token")


def run_fetch(flow: Generator[HttpGet | CallSource, Any, R], session: Session | None) -> R:
    """Drive a fetch of keys, on the thread that the refresh has to itself."""
    return _run(flow, lambda effect: _perform_fetch(effect, session))


def run_question(flow: Asking, session: Session, metadata: Callable[[], Mapping[str, Any]]) -> Answered:
    """Drive a question about a token, on a thread that nobody waits on.

    Args:
        flow: the question.
        session: what asks it.
        metadata: returns those of the issuer; it may wait, and raise `FetchFailed`.
    """

    def perform_question(effect: HttpPost | CallSource | WantMetadata | Effect) -> Any:
        match effect:
            case HttpPost():
                return session.post(effect)
            case CallSource():
                return _own_token(effect)
            case WantMetadata():
                return metadata()
            case _:
                return perform(effect)  # for the keys of a signed answer

    return _run(flow, perform_question)


def _run(flow: Generator[E, Any, R], carry_out: Callable[[E], Any]) -> R:
    try:
        effect = next(flow)
        while True:
            try:
                answer = carry_out(effect)
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
        return _returned_by(effect)
    except BaseException as problem:  # noqa: BLE001 - whatever a user's function raises is a failed refresh
        raise FetchFailed("function", f"the key function raised {problem!r}") from None


def _own_token(effect: CallSource) -> Any:
    try:
        return _returned_by(effect)
    except BaseException as problem:  # noqa: BLE001 - as above
        # Its text may have a secret in it.
        raise QuestionFailed("token", f"the function token= raised {type(problem).__name__}") from None


def _returned_by(effect: CallSource) -> Any:
    value = effect.function()
    return awaited(value) if inspect.isawaitable(value) else value


def _source_of(effect: WaitForKeys) -> RemoteKeySource:
    # Only fetched keys are ever waited for; given ones are always there.
    return cast("RemoteKeySource", effect.source)


def _asked_of(effect: AskIntrospection) -> IntrospectionSource:
    return cast("IntrospectionSource", effect.source)


def _register_of(effect: ResolveIssuer) -> Issuers:
    return cast("Issuers", effect.register)


def _kept_by(effect: HearRevocations | WriteRevocation | SpendOnce) -> Revocations:
    return cast("Revocations", effect.ear)
