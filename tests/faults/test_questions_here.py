"""Where a connection is open, the thread that gets a new token asks by itself; no question takes longer."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from typing import Any

import anyio
import pytest

from bearerguard import Introspection, Provider
from bearerguard._flows.effects import Answered, Unanswered
from bearerguard._io.http import HttpClient
from bearerguard._io.introspection_source import IntrospectionSource
from bearerguard._limits import MAX_QUESTIONS
from bearerguard.testing import Clock
from tests.faults import fault_server as fault
from tests.faults.asking import GOOD, PATH, PATIENT
from tests.faults.fault_server import FaultServer, respond
from tests.faults.scripted_provider import in_time, until
from tests.flows.pipeline import StubSource
from tests.keys.test_fork import forked


@contextmanager
def asking(
    faults: FaultServer, *, seconds: float = PATIENT, idle: float = PATIENT, http: Any = None, **options: Any
) -> Iterator[IntrospectionSource]:
    """A source that has asked once, so that a connection is open."""
    options = {"client_secret": "secret", "url": faults.url(PATH), **options}
    provider = Provider(
        "https://login.example",
        audience="https://api.test",
        introspection=Introspection("orders-api", **options),
        name="login",
    )
    client = HttpClient({"trust_env": False, **(http or {})}, seconds=seconds)
    clock = Clock(1_800_000_000)
    source = IntrospectionSource(provider, StubSource(), client=client, metadata=None, clock=clock, idle=idle)
    faults.script(PATH, respond(GOOD))
    assert isinstance(ask(source, "the first"), Answered)
    until(lambda: is_at_rest(source), "the thread that asked")
    try:
        yield source
    finally:
        source.close()


@contextmanager
def hurried(source: IntrospectionSource) -> Iterator[None]:
    """What is asked meanwhile has half a second; what is to be answered has as long as it takes."""
    source._seconds = 0.5
    try:
        yield
    finally:
        source._seconds = PATIENT


def is_at_rest(source: IntrospectionSource) -> bool:
    """Whether every thread that asked has put its connection back, or has ended."""
    return len(source._idle) == len(source._askers)


def ask(source: IntrospectionSource, token: str) -> Answered | Unanswered:
    return source.ask(token.encode(), sha256(token.encode()).digest())


def has_count(faults: FaultServer, count: int) -> bool:
    return faults.count(PATH) == count


def is_asked_here(source: IntrospectionSource) -> bool:
    return source._here == 1 and len(source._idle) == len(source._askers) == 1


def end_of(source: IntrospectionSource) -> Callable[[], bool]:
    """Whether no thread of the source is left."""
    return lambda: not source._askers and source._watch is None


def test_the_thread_that_gets_a_new_token_asks_by_itself(faults: FaultServer) -> None:
    gate = threading.Event()
    with asking(faults) as source, ThreadPoolExecutor(1) as pool:
        faults.script(PATH, fault.held(gate, respond(GOOD)))
        asked = pool.submit(ask, source, "the second")
        until(lambda: faults.count(PATH) == 2, "the question")
        assert is_asked_here(source)
        gate.set()
        assert isinstance(asked.result(PATIENT), Answered)
        assert source._here == 0
    assert faults.connections == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_has_another_thread_ask(faults: FaultServer, backend: str) -> None:
    async def main(source: IntrospectionSource) -> Answered | Unanswered:
        return await source.ask_async(b"the second", sha256(b"the second").digest())

    with asking(faults) as source:
        assert isinstance(in_time(lambda: anyio.run(main, source, backend=backend)), Answered)
        assert source._watch is None
    assert faults.connections == 1


@pytest.mark.parametrize(
    "options",
    [
        {"http": {"event_hooks": {"request": [lambda _: None]}}},
        {"http": {"auth": ("user", "password")}},
        {"method": "bearer", "client_secret": None, "token": lambda: "ours"},
    ],
    ids=["hooks", "auth", "a function for the token"],
)
def test_where_the_programs_own_code_runs_on_the_way_another_thread_asks(
    faults: FaultServer, options: dict[str, Any]
) -> None:
    with asking(faults, **options) as source:
        assert isinstance(ask(source, "the second"), Answered)
        assert source._watch is None


@pytest.mark.parametrize(
    "stuck",
    [fault.stall(), fault.trickle_headers(GOOD), fault.trickle_body(GOOD)],
    ids=["stalls", "headers", "body"],
)
def test_a_question_that_takes_too_long_is_cut_short(faults: FaultServer, stuck: fault.Answer) -> None:
    """No read of headers that come a byte at a time ever times out: another thread has to end it."""
    with asking(faults) as source:
        faults.script(PATH, stuck, respond(GOOD))
        with hurried(source):
            assert in_time(lambda: ask(source, "the second")) == Unanswered(5.0)
        failure = source.health()["last_failure"]
        assert failure is not None
        assert failure["reason"] == "timeout"
        assert isinstance(ask(source, "the third"), Answered)
    assert faults.connections == 2


def test_who_waits_for_the_same_token_waits_no_longer_either(faults: FaultServer) -> None:
    with asking(faults) as source, ThreadPoolExecutor(5) as pool:

        def begin() -> None:
            """Let the time of the question run once all of them have joined it."""
            (question,) = source._questions.values()
            question.ticket.deadline = time.monotonic() + 0.5

        joined, join = threading.Barrier(5, begin), source._join

        def join_together(*args: Any, **options: Any) -> Any:
            found = join(*args, **options)
            joined.wait(PATIENT)
            return found

        source._join = join_together  # type: ignore[method-assign]  # nothing else tells who has joined
        faults.script(PATH, fault.trickle_headers(GOOD))
        asked = [pool.submit(ask, source, "the second") for _ in range(5)]
        assert [one.result(PATIENT) for one in asked] == [Unanswered(5.0)] * 5
    assert faults.count(PATH) == 2


@pytest.mark.parametrize("broken", [fault.reset(), fault.no_answer()], ids=["reset", "closed"])
def test_after_a_connection_that_broke_another_thread_asks_over_a_new_one(
    faults: FaultServer, broken: fault.Answer
) -> None:
    with asking(faults) as source:
        faults.script(PATH, broken, respond(GOOD))
        assert isinstance(ask(source, "the second"), Answered)
    assert (faults.count(PATH), faults.connections) == (3, 2)


def test_a_token_is_not_sent_a_third_time(faults: FaultServer) -> None:
    with asking(faults) as source:
        faults.script(PATH, fault.reset(), fault.reset(), respond(GOOD))
        assert ask(source, "the second") == Unanswered(5.0)
        assert source.health()["last_failure"]["reason"] == "reset"
    assert faults.count(PATH) == 3  # with the first


def test_where_no_thread_can_be_started_for_that_it_is_a_503(
    faults: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with asking(faults) as source:
        assert isinstance(ask(source, "the second"), Answered)
        (asker,), source._idle = source._idle, []
        source._askers.clear()  # as if it had ended
        faults.script(PATH, fault.reset())
        with monkeypatch.context() as patch:  # the interpreter's own limit cannot be passed in
            patch.setattr(threading.Thread, "start", full)
            assert ask(source, "the third") == Unanswered(5.0)
        asker.give(None)
        health = source.health()
        assert (health["state"], health["last_failure"], health["under_way"]) == ("working", None, 0)


def test_at_most_32_questions_are_under_way_whoever_asks(faults: FaultServer) -> None:
    gate = threading.Event()
    count = MAX_QUESTIONS + 3
    with asking(faults) as source, ThreadPoolExecutor(count) as pool:
        for name in ("first", "second"):  # in the second round there are connections for all
            faults.script(PATH, fault.held(gate, respond(GOOD)))
            before = faults.count(PATH)
            asked = [pool.submit(ask, source, f"{name} {number}") for number in range(count)]
            until(partial(has_count, faults, before + MAX_QUESTIONS), "the questions")
            until(lambda: len(source._pending) == 3, "those that stand in line")
            assert name == "first" or source._here
            gate.set()
            assert all(isinstance(one.result(PATIENT), Answered) for one in asked)
            assert source._here == 0
            until(lambda: len(source._idle) == len(source._askers), "the threads that asked")
            gate.clear()
    assert faults.connections <= 1 + MAX_QUESTIONS


def test_a_connection_that_nobody_uses_is_closed_and_no_thread_is_left(faults: FaultServer) -> None:
    with asking(faults, idle=0.2) as source:
        ask(source, "the second")
        until(end_of(source), "the end of all threads")
        assert len(source._spare) == 0


def test_closing_cuts_what_is_under_way_and_ends_all_threads(faults: FaultServer) -> None:
    with asking(faults) as source, ThreadPoolExecutor(1) as pool:
        faults.script(PATH, fault.stall())
        asked = pool.submit(ask, source, "the second")
        until(lambda: faults.count(PATH) == 2, "the question")
        source.close()
        assert asked.result(PATIENT) == Unanswered(5.0)
        until(end_of(source), "the end of all threads")
        assert len(source._spare) == 0


class RaisingHandler(logging.Handler):
    """As of a program whose disk is full."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError(record.levelname)


def test_a_log_handler_that_raises_keeps_no_question_from_its_end(
    faults: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda told: raised.append(told.exc_type))
    monkeypatch.setattr(logging.getLogger("bearerguard"), "handlers", [RaisingHandler()])
    with asking(faults) as source:
        faults.script(PATH, *[fault.trickle_headers(GOOD)] * 2, respond(GOOD))
        for name in ("the second", "the third"):  # of which the first only is told of
            with hurried(source):
                assert in_time(partial(ask, source, name)) == Unanswered(5.0)
        assert isinstance(ask(source, "the fourth"), Answered)
    assert raised == [OSError]


def test_a_log_handler_that_raises_ends_no_thread_that_asks(
    faults: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[Any] = []
    with asking(faults, http={"event_hooks": {"request": [lambda _: None]}}) as source:
        monkeypatch.setattr(threading, "excepthook", lambda told: raised.append(told.exc_type))
        monkeypatch.setattr(logging.getLogger("bearerguard"), "handlers", [RaisingHandler()])
        faults.script(PATH, respond(b"junk"), respond(GOOD))
        assert ask(source, "the second") == Unanswered(5.0)
        until(lambda: is_at_rest(source), "the thread that asked")
        assert isinstance(ask(source, "the third"), Answered)
        assert raised == [OSError]
    assert faults.connections == 1


class Interruption(BaseException):
    pass


@contextmanager
def interrupted_when(condition: Callable[[], bool]) -> Iterator[None]:
    """Have the main thread interrupted, wherever it is by then, as by Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise Interruption

    def watch() -> None:
        until(condition, "what is interrupted")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, interrupt)
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with pytest.raises(Interruption):
            yield
    finally:
        watching.join()
        signal.signal(signal.SIGALRM, before)


def test_what_interrupts_the_program_is_not_swallowed(faults: FaultServer) -> None:
    with asking(faults) as source:
        faults.script(PATH, fault.stall(), respond(GOOD))
        with interrupted_when(lambda: faults.count(PATH) == 2):
            ask(source, "the second")
        assert source._here == 0
        assert isinstance(ask(source, "the second"), Answered)
        assert source.health()["last_failure"] is None
    assert faults.connections == 2


def test_who_waits_for_the_same_token_as_one_that_is_interrupted_is_not_hurt(faults: FaultServer) -> None:
    with asking(faults) as source, ThreadPoolExecutor(3) as pool:
        faults.script(PATH, fault.stall(), respond(GOOD))
        asked: list[Future[Answered | Unanswered]] = []
        joined, join = threading.Semaphore(0), source._join

        def noted_join(*args: Any, **options: Any) -> Any:
            found = join(*args, **options)
            joined.release()
            return found

        def followed() -> bool:
            """Whether the question has arrived, and others wait for its answer; it begins that as well."""
            if faults.count(PATH) != 2:
                return False
            asked.extend(pool.submit(ask, source, "the second") for _ in range(3))
            return all(joined.acquire(timeout=PATIENT) for _ in range(4))

        source._join = noted_join  # type: ignore[method-assign]  # nothing else tells who has joined
        with interrupted_when(followed):
            ask(source, "the second")
        assert len(asked) == 3
        assert all(isinstance(one.result(PATIENT), Answered) for one in asked)
        assert source.health()["last_failure"] is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_child_opens_a_connection_of_its_own(faults: FaultServer) -> None:
    with asking(faults) as source:
        assert isinstance(ask(source, "the second"), Answered)

        def in_child() -> None:
            assert isinstance(ask(source, "the third"), Answered)
            until(lambda: is_at_rest(source), "the thread that asked")
            assert isinstance(ask(source, "the fourth"), Answered)

        forked(in_child)()
        assert isinstance(ask(source, "the fifth"), Answered)
    assert (faults.count(PATH), faults.connections) == (5, 2)
