from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, cast

import anyio
import pytest

from bearerguard._flows.effects import CallSource, Cause, FetchFailed, HttpAnswer, HttpGet, WaitForKeys
from bearerguard._io.drive import Admission, run_fetch
from bearerguard._io.http import Session


class Source:
    """A source that has an answer ready for each wait, whoever waits."""

    def __init__(self, *answers: float | None) -> None:
        self.answers = list(answers)
        self.causes: list[Cause] = []

    def wait(self, cause: Cause) -> float | None:
        self.causes.append(cause)
        return self.answers.pop(0)

    async def wait_async(self, cause: Cause) -> float | None:
        await anyio.lowlevel.checkpoint()
        return self.wait(cause)


class Web:
    """A session that answers by address."""

    def __init__(self, **documents: HttpAnswer | FetchFailed) -> None:
        self.documents = documents

    def get(self, request: HttpGet) -> HttpAnswer:
        answer = self.documents[request.url]
        if isinstance(answer, FetchFailed):
            raise answer
        return answer


def drive(flow: Generator[WaitForKeys, float | None, Any], colour: str) -> Any:
    """What comes of a flow that waits, in either colour."""
    return drive_once(Admission(flow), colour)


def drive_once(waiting: Admission, colour: str) -> Any:
    if colour == "sync":
        return waiting.wait()

    async def awaited() -> Any:
        return await waiting

    return anyio.run(awaited, backend=colour)


def waiting_flow(source: Source, causes: list[Cause]) -> Generator[WaitForKeys, float | None, Any]:
    """A flow that waits once for each cause, and returns the answers."""
    answers: list[Any] = []
    for cause in causes:
        answer = yield WaitForKeys(cast("Any", source), cause)
        answers.append(answer)
    return answers


def fetch(flow: Generator[HttpGet | CallSource, Any, Any], **documents: HttpAnswer | FetchFailed) -> Any:
    return run_fetch(flow, cast("Session", Web(**documents)))


@pytest.mark.parametrize("colour", ["sync", "asyncio", "trio"])
def test_each_wait_is_performed_and_its_outcome_sent_back(colour: str) -> None:
    source = Source(None, 12.5)
    assert drive(waiting_flow(source, ["missing", "unknown_kid"]), colour) == [None, 12.5]
    assert source.causes == ["missing", "unknown_kid"]


@pytest.mark.parametrize("colour", ["sync", "asyncio", "trio"])
def test_a_flow_that_waits_for_nothing_just_ends(colour: str) -> None:
    assert drive(waiting_flow(Source(), []), colour) == []


@pytest.mark.parametrize("colour", ["sync", "asyncio", "trio"])
def test_what_a_flow_raises_comes_out(colour: str) -> None:
    def flow() -> Generator[WaitForKeys, float | None, None]:
        yield WaitForKeys(cast("Any", Source(None)), "missing")
        raise LookupError("refused")

    with pytest.raises(LookupError, match="refused"):
        drive(flow(), colour)


@pytest.mark.parametrize("again", ["sync", "asyncio"])
@pytest.mark.parametrize("first", ["sync", "asyncio"])
def test_a_verification_is_waited_for_once(first: str, again: str) -> None:
    waiting = Admission(waiting_flow(Source(None), ["missing"]))
    drive_once(waiting, first)
    with pytest.raises(RuntimeError, match="once"):
        drive_once(waiting, again)


def test_documents_are_fetched_one_after_the_other() -> None:
    def flow() -> Generator[HttpGet, HttpAnswer, bytes]:
        first = yield HttpGet("first")
        second = yield HttpGet("second")
        return first.body + second.body

    assert fetch(flow(), first=HttpAnswer(200, b"1"), second=HttpAnswer(200, b"2")) == b"12"


def test_a_failed_fetch_is_raised_where_the_flow_asked_so_that_it_can_go_on() -> None:
    def flow() -> Generator[HttpGet, HttpAnswer, bytes]:
        try:
            answer = yield HttpGet("first")
        except FetchFailed:
            answer = yield HttpGet("second")
        return answer.body

    assert fetch(flow(), first=FetchFailed("timeout", ""), second=HttpAnswer(200, b"2")) == b"2"


def test_a_failed_fetch_that_the_flow_does_not_mind_ends_it() -> None:
    def flow() -> Generator[HttpGet, HttpAnswer, HttpAnswer]:
        return (yield HttpGet("first"))

    with pytest.raises(FetchFailed, match="no route"):
        fetch(flow(), first=FetchFailed("connection", "no route"))


def call(function: Any) -> Any:
    def flow() -> Generator[CallSource, Any, Any]:
        return (yield CallSource(function))

    return run_fetch(flow(), None)


def test_a_function_is_called_whatever_its_colour() -> None:
    async def later() -> str:
        await anyio.lowlevel.checkpoint()
        return "keys"

    class Awaitable:
        def __await__(self) -> Generator[Any, Any, str]:
            return later().__await__()

    assert call(lambda: "keys") == call(later) == call(Awaitable) == "keys"


@pytest.mark.parametrize("problem", [KeyError, SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_whatever_a_function_raises_is_a_failed_fetch(problem: type[BaseException], colour: str) -> None:
    """Also what would end its thread: those who wait for the keys would not hear of it."""

    def raises() -> None:
        raise problem("vault")

    async def raises_later() -> None:
        raise problem("vault")

    with pytest.raises(FetchFailed, match=rf"{problem.__name__}.*vault") as failed:
        call(raises if colour == "sync" else raises_later)
    assert failed.value.kind == "function"
