"""What asks a provider about tokens, step by step; what misbehaves on a network is in tests/faults."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

import anyio
import anyio.lowlevel
import httpx2
import pytest

from bearerguard import (
    ConfigurationError,
    Introspection,
    Provider,
    ProviderUnavailable,
    RemoteKeys,
    ResourceServer,
)
from bearerguard._flows.effects import Answered, Unanswered
from bearerguard._io.endpoint_state import EndpointState
from bearerguard._io.http import HttpClient
from bearerguard._io.introspection_source import IntrospectionSource
from bearerguard._io.metadata import MetadataSource
from bearerguard._limits import MAX_ANSWER_BYTES, MAX_QUESTIONS
from bearerguard.testing import Clock
from tests.faults.scripted_provider import LONG, until
from tests.flows.pipeline import JWKS, StubSource
from tests.keys.test_fork import forked

NOW = 1_700_000_000.0
URL = "https://login.example/introspect"
ISSUER = "https://login.example"
Answer = Callable[[httpx2.Request], httpx2.Response]


def active(_: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, json={"active": True, "sub": "ada"})


def failing(_: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(500)


class Watched(IntrospectionSource):
    """Counts who waits, or is told that nobody may."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.joined: list[object] = []

    def _join(self, token: bytes, digest: bytes, *, may_be_here: bool = False) -> Any:
        found = super()._join(token, digest, may_be_here=may_be_here)
        self.joined.append(found)
        return found


class Endpoint(httpx2.BaseTransport):
    """Answers as a test says; counts what it is asked, and lets no question through while it is shut."""

    def __init__(self, answer: Answer = active) -> None:
        self.answer = answer
        self.tokens: list[str] = []
        self.threads: list[str] = []
        self.requests: list[httpx2.Request] = []
        self.gate = threading.Event()
        self.gate.set()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        self.tokens.append(parse_qs(request.content.decode()).get("token", [""])[0])
        self.threads.append(threading.current_thread().name)
        assert self.gate.wait(LONG)
        return self.answer(request)

    def source(
        self,
        clock: Clock | None = None,
        *,
        seconds: float = LONG,
        idle: float = 1.0,
        metadata: MetadataSource | None = None,
        **options: Any,
    ) -> Watched:
        introspection = Introspection("orders-api", **{"client_secret": "secret", "url": URL, **options})
        client = HttpClient({"transport": self}, seconds=seconds, max_bytes=MAX_ANSWER_BYTES)
        provider = Provider(ISSUER, audience="https://api.example", name="login", introspection=introspection)
        return Watched(
            provider, StubSource(JWKS), client=client, metadata=metadata, clock=clock or Clock(NOW), idle=idle
        )


@contextlib.contextmanager
def shut(endpoint: Endpoint) -> Generator[None]:
    endpoint.gate.clear()
    try:
        yield
    finally:
        endpoint.gate.set()


def ask(source: IntrospectionSource, token: str = "token") -> Answered | Unanswered:
    return source.ask(token.encode(), sha256(token.encode()).digest())


async def aask(source: IntrospectionSource, token: str = "token") -> Answered | Unanswered:
    return await source.ask_async(token.encode(), sha256(token.encode()).digest())


ADA = Answered({"sub": "ada"})


# -- one question for a token ----------------------------------------------------------------------


def test_s1_threads_and_tasks_of_three_loops_wait_for_one_question() -> None:
    endpoint = Endpoint()
    source = endpoint.source()

    async def many() -> list[Any]:
        found: list[Any] = []

        async def one() -> None:
            found.append(await aask(source))

        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(one)
        return found

    with ThreadPoolExecutor(40) as pool:
        with shut(endpoint):
            names = ("asyncio", "trio", "asyncio")
            loops = [pool.submit(partial(anyio.run, many, backend=name)) for name in names]
            threads = [pool.submit(ask, source) for _ in range(30)]
            until(lambda: len(source.joined) == 120)
        outcomes = [outcome for loop in loops for outcome in loop.result(LONG)]
        outcomes += [thread.result(LONG) for thread in threads]
    assert outcomes == [ADA] * 120
    assert endpoint.tokens == ["token"]


def test_a_question_is_asked_by_a_thread_that_is_nobodys_and_kept_for_the_next() -> None:
    endpoint = Endpoint()
    source = endpoint.source(idle=LONG)
    for name in "abc":
        assert ask(source, name) == ADA
        until(lambda: len(source._idle) == 1, "the thread that asked")
    assert endpoint.threads == ["bearerguard asks login"] * 3
    (asker,) = source._askers  # it has waited for the next question, and still does
    source.close()
    until(lambda: not asker.is_alive())


def test_different_tokens_are_asked_about_side_by_side() -> None:
    endpoint = Endpoint()
    source = endpoint.source()
    with ThreadPoolExecutor(5) as pool:
        with shut(endpoint):
            waiting = [pool.submit(ask, source, name) for name in "abcde"]
            until(lambda: len(endpoint.tokens) == 5)
        assert [one.result(LONG) for one in waiting] == [ADA] * 5


def test_s1_followers_get_the_503_of_the_question_that_they_waited_for() -> None:
    endpoint = Endpoint(failing)
    source = endpoint.source()
    with ThreadPoolExecutor(5) as pool:
        with shut(endpoint):
            waiting = [pool.submit(ask, source) for _ in range(5)]
            until(lambda: len(source.joined) == 5)
        assert {one.result(LONG) for one in waiting} == {Unanswered(5.0)}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_s1_who_is_cancelled_takes_only_itself_away(backend: str) -> None:
    endpoint = Endpoint()
    source = endpoint.source()

    async def main() -> Any:
        with anyio.move_on_after(0):
            await aask(source)
        async with anyio.create_task_group() as group:
            group.start_soon(aask, source)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        endpoint.gate.set()
        return await aask(source)

    with shut(endpoint):
        assert anyio.run(main, backend=backend) == ADA
    assert len(endpoint.tokens) <= 2


# -- deadlines and places --------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["sync", "asyncio", "trio"])
def test_s2_nobody_waits_longer_than_the_deadline_of_the_question(backend: str) -> None:
    endpoint = Endpoint()
    source = endpoint.source(seconds=0.05)
    with shut(endpoint):
        outcome = ask(source) if backend == "sync" else anyio.run(aask, source, backend=backend)
    assert outcome == Unanswered(5.0)
    assert source.health()["last_failure"] == {
        "at": NOW,
        "reason": "timeout",
        "message": "it did not answer within 0.05 s",
    }


def test_what_comes_after_the_deadline_is_thrown_away() -> None:
    endpoint = Endpoint()
    source = endpoint.source(seconds=0.05, idle=LONG)
    with shut(endpoint):
        ask(source)
    until(lambda: len(source._idle) == 1)
    assert source.health()["last_success"] is None
    assert source.health()["state"] == "failing"
    source.close()


def test_i6_at_most_32_questions_are_under_way_and_who_finds_no_place_in_time_gets_a_503() -> None:
    endpoint = Endpoint()
    source = endpoint.source()
    with ThreadPoolExecutor(MAX_QUESTIONS) as pool, shut(endpoint):
        waiting = [pool.submit(ask, source, str(number)) for number in range(MAX_QUESTIONS)]
        until(lambda: len(endpoint.tokens) == MAX_QUESTIONS)
        source._seconds = 0.05
        assert ask(source, "one more") == Unanswered(1.0)
        assert len(endpoint.tokens) == MAX_QUESTIONS
        # It says nothing of the provider.
        assert source.health()["state"] == "unasked"
        endpoint.gate.set()
        assert [one.result(LONG) for one in waiting] == [ADA] * MAX_QUESTIONS
    assert "one more" not in endpoint.tokens


def test_a_question_that_has_to_wait_for_a_place_is_asked_when_one_is_free() -> None:
    endpoint = Endpoint()
    source = endpoint.source(idle=LONG)
    with ThreadPoolExecutor(MAX_QUESTIONS + 3) as pool:
        with shut(endpoint):
            waiting = [pool.submit(ask, source, str(number)) for number in range(MAX_QUESTIONS + 3)]
            until(lambda: len(source._pending) == 3)
        assert [one.result(LONG) for one in waiting] == [ADA] * (MAX_QUESTIONS + 3)
    assert len(source._askers) == MAX_QUESTIONS
    source.close()


def test_a_question_that_everybody_has_left_while_it_stood_in_line_is_not_asked_late() -> None:
    endpoint = Endpoint()
    source = endpoint.source()

    async def leave() -> None:
        with anyio.move_on_after(0.001):
            await aask(source, "one more")

    with ThreadPoolExecutor(MAX_QUESTIONS) as pool:
        with shut(endpoint):
            waiting = [pool.submit(ask, source, str(number)) for number in range(MAX_QUESTIONS)]
            until(lambda: len(endpoint.tokens) == MAX_QUESTIONS)
            anyio.run(leave)
            (question,) = source._pending
            question.ticket.deadline = 0.0  # long ago
        assert [one.result(LONG) for one in waiting] == [ADA] * MAX_QUESTIONS
    until(lambda: not source._questions)
    assert "one more" not in endpoint.tokens
    assert source.health()["state"] == "working", "nobody was asked, so nobody failed"


def test_a_question_that_got_its_place_too_late_says_nothing_of_the_provider() -> None:
    def slow_at_last(request: httpx2.Request) -> httpx2.Response:
        if b"token=late" in request.content:
            raise httpx2.ReadTimeout("what was left of its time is over")
        return active(request)

    endpoint = Endpoint(slow_at_last)
    source = endpoint.source()
    with ThreadPoolExecutor(MAX_QUESTIONS + 1) as pool:
        with shut(endpoint):
            for number in range(MAX_QUESTIONS):
                pool.submit(ask, source, str(number))
            until(lambda: len(endpoint.tokens) == MAX_QUESTIONS)
            late = pool.submit(ask, source, "late")
            until(lambda: len(source._pending) == 1)
        assert late.result(LONG) == Unanswered(1.0)
    assert "late" in endpoint.tokens
    assert source.health()["last_failure"] is None
    until(lambda: len(source._askers) == len(source._idle), "the places of all others")
    assert ask(source, "late again") == Unanswered(5.0), "one that had all its time does"
    assert source.health()["last_failure"]["reason"] == "timeout"


def test_a_question_whose_waiters_have_all_left_is_given_up_by_the_next_who_asks() -> None:
    endpoint = Endpoint()
    source = endpoint.source()

    async def leave() -> None:
        with anyio.move_on_after(0.001):
            await aask(source)

    with ThreadPoolExecutor(1) as pool:
        with shut(endpoint):
            anyio.run(leave)
            (question,) = source._questions.values()
            until(lambda: len(endpoint.tokens) == 1)
            question.ticket.deadline = 0.0  # long ago
            anew = pool.submit(ask, source)
            until(lambda: len(endpoint.tokens) == 2)
            assert source.health()["last_failure"]["reason"] == "timeout"
        assert anew.result(LONG) == ADA


def test_a_thread_that_has_nothing_to_ask_for_a_while_ends() -> None:
    endpoint = Endpoint()
    source = endpoint.source(idle=0.01)
    ask(source)
    until(lambda: not source._askers)
    assert ask(source) == ADA


def test_where_no_thread_can_be_started_it_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    source = Endpoint().source()
    with monkeypatch.context() as patch:  # the interpreter's own limit cannot be passed in
        patch.setattr(threading.Thread, "start", full)
        assert ask(source) == Unanswered(5.0)
    assert ask(source) == ADA


# -- the breaker -----------------------------------------------------------------------------------


def fail(source: IntrospectionSource, times: int) -> None:
    for number in range(times):
        assert isinstance(ask(source, f"failing-{number}"), Unanswered)


def test_s3_after_five_failures_in_a_row_nobody_is_asked_for_a_while_by_the_clock_of_the_server() -> None:
    endpoint, clock = Endpoint(failing), Clock(NOW)
    source = endpoint.source(clock)
    fail(source, 5)
    endpoint.answer = active
    assert ask(source) == Unanswered(1.0)
    assert len(endpoint.tokens) == 5
    clock.advance(1)
    assert ask(source) == ADA
    assert source.health()["state"] == "working"


def test_s3_each_probe_that_fails_doubles_the_rest() -> None:
    endpoint, clock = Endpoint(failing), Clock(NOW)
    source = endpoint.source(clock)
    fail(source, 5)
    rests = []
    for _ in range(6):
        rests.append(source.health()["rests_for"])
        assert ask(source) == Unanswered(max(1.0, rests[-1]))
        clock.advance(rests[-1])
        fail(source, 1)
    assert rests == [1, 2, 4, 8, 16, 30]


def test_s3_while_one_probes_the_others_get_a_503_at_once() -> None:
    endpoint, clock = Endpoint(failing), Clock(NOW)
    source = endpoint.source(clock)
    fail(source, 5)
    clock.advance(1)
    endpoint.answer = active
    with ThreadPoolExecutor(2) as pool:
        with shut(endpoint):
            probe = pool.submit(ask, source, "probe")
            until(lambda: len(endpoint.tokens) == 6)
            follower = pool.submit(ask, source, "probe")
            until(lambda: len(source.joined) == 7)
            assert ask(source, "other") == Unanswered(1.0)
        assert [probe.result(LONG), follower.result(LONG)] == [ADA, ADA]


def test_s3_a_probe_that_everybody_has_left_keeps_nobody_out_for_ever() -> None:
    endpoint, clock = Endpoint(failing), Clock(NOW)
    source = endpoint.source(clock)
    fail(source, 5)
    clock.advance(1)

    async def leave() -> None:
        with anyio.move_on_after(0.001):
            await aask(source, "probe")

    with shut(endpoint):
        anyio.run(leave)
        (question,) = source._questions.values()
        assert question.is_probe
        question.ticket.deadline = 0.0  # long ago
        assert ask(source, "other") == Unanswered(2.0)  # the probe has failed, and the rest is longer
    endpoint.answer = active
    clock.advance(2)
    assert ask(source, "other") == ADA


def test_s3_a_probe_that_finds_no_place_lets_another_probe() -> None:
    endpoint, clock = Endpoint(failing), Clock(NOW)
    source = endpoint.source(clock)
    fail(source, 5)
    clock.advance(1)
    endpoint.answer = active
    with ThreadPoolExecutor(MAX_QUESTIONS) as pool, shut(endpoint):
        resting, source._state = source._state, EndpointState()
        waiting = [pool.submit(ask, source, str(number)) for number in range(MAX_QUESTIONS)]
        until(lambda: len(endpoint.tokens) == 5 + MAX_QUESTIONS)
        source._state, source._seconds = resting, 0.05
        assert ask(source, "probe") == Unanswered(1.0)
        assert not resting._breaker.is_probing
        assert resting.rest(clock()) == 0
        endpoint.gate.set()
        assert [one.result(LONG) for one in waiting] == [ADA] * MAX_QUESTIONS


# -- trouble, and what is said of it ---------------------------------------------------------------


def test_a7_nothing_secret_stands_in_logs_or_health(caplog: pytest.LogCaptureFixture) -> None:
    def echo(request: httpx2.Request) -> httpx2.Response:
        raise ValueError(f"cannot send {request.content!r} {request.headers!r}")

    caplog.set_level(logging.DEBUG)
    source = Endpoint(echo).source()
    ask(source, "secrettoken")
    assert "secrettoken" not in caplog.text + repr(source.health())
    assert source.health()["last_failure"]["message"] == f"{URL}: the HTTP client failed: ValueError"


def test_a_defect_fails_the_question_and_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Endpoint().source()

    def defect(_: bytes, **__: Any) -> Any:
        raise KeyError("secrettoken")

    monkeypatch.setattr(source._asking, "ask", defect)
    assert ask(source, "secrettoken") == Unanswered(5.0)
    assert source.health()["last_failure"]["reason"] == "unexpected"
    assert source.health()["last_failure"]["message"] == "KeyError"


def levels(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records if record.name == "bearerguard"]


def test_p23_misconfiguration_is_an_error_in_the_log_once_until_an_answer_was_accepted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    endpoint = Endpoint(lambda _: httpx2.Response(401, json={"error": "invalid_client"}))
    source = endpoint.source()
    fail(source, 2)
    endpoint.answer = lambda _: httpx2.Response(404)
    fail(source, 1)
    assert levels(caplog) == ["ERROR"]
    assert "HTTP 401 with the error 'invalid_client'" in caplog.text
    assert source.health()["state"] == "misconfigured"
    endpoint.answer = failing
    fail(source, 1)
    assert source.health()["state"] == "misconfigured"
    endpoint.answer = active
    ask(source)
    assert source.health()["state"] == "working"
    endpoint.answer = lambda _: httpx2.Response(401)
    fail(source, 1)
    assert levels(caplog) == ["ERROR", "WARNING", "ERROR"]


def test_while_our_own_credentials_are_refused_it_is_warned_of_once_a_minute_with_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock(NOW)
    endpoint = Endpoint(lambda _: httpx2.Response(401, json={"error": "invalid_client"}))
    source = endpoint.source(clock)
    fail(source, 3)
    clock.advance(59)
    fail(source, 1)
    clock.advance(1)
    fail(source, 2)
    told = [(record.levelname, vars(record)["provider"], vars(record)["count"]) for record in caplog.records]
    assert told == [("ERROR", "login", 1), ("WARNING", "login", 4)]
    assert "(4 times since it was last told)" in caplog.text
    endpoint.answer = active
    clock.advance(60)
    ask(source)
    endpoint.answer = lambda _: httpx2.Response(401)
    fail(source, 1)
    assert [vars(record)["count"] for record in caplog.records] == [1, 4, 1]


def test_p23_an_unsigned_answer_is_misconfiguration_where_signed_ones_are_wanted() -> None:
    source = Endpoint().source(signed=True)
    fail(source, 1)
    assert source.health()["state"] == "misconfigured"


def test_each_kind_of_trouble_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    endpoint = Endpoint(failing)
    source = endpoint.source()
    fail(source, 2)
    endpoint.answer = lambda _: httpx2.Response(200, text="<html>")
    fail(source, 2)
    assert levels(caplog) == ["WARNING", "WARNING"]


def test_p24_clients_are_told_to_come_back_when_the_provider_says() -> None:
    endpoint = Endpoint(lambda _: httpx2.Response(429, headers={"Retry-After": "17"}))
    assert ask(endpoint.source()) == Unanswered(17.0)


def test_health_before_the_first_question() -> None:
    assert Endpoint().source().health() == {
        "state": "unasked",
        "last_success": None,
        "last_failure": None,
        "rests_for": 0.0,
        "under_way": 0,
    }


# -- a token of our own ----------------------------------------------------------------------------


def bearer(endpoint: Endpoint, function: Callable[[], Any]) -> IntrospectionSource:
    return endpoint.source(client_secret=None, method="bearer", token=function)


def test_a5_a_function_may_be_a_coroutine_function() -> None:
    async def own() -> str:
        await anyio.lowlevel.checkpoint()
        return "our.own"

    endpoint = Endpoint()
    assert ask(bearer(endpoint, own)) == ADA
    assert endpoint.requests[0].headers["Authorization"] == "Bearer our.own"


@pytest.mark.parametrize("problem", [ValueError("secret"), SystemExit("secret"), KeyboardInterrupt("secret")])
def test_a5_a_function_that_raises_is_trouble_and_its_message_is_not_shown(problem: BaseException) -> None:
    def own() -> str:
        raise problem

    source = bearer(Endpoint(), own)
    assert ask(source) == Unanswered(5.0)
    said = source.health()["last_failure"]
    assert (said["reason"], said["message"]) == (
        "token",
        f"the function token= raised {type(problem).__name__}",
    )


# -- the endpoint in the metadata ------------------------------------------------------------------


def discovering(metadata: Answer, clock: Clock) -> tuple[Endpoint, Endpoint, IntrospectionSource]:
    well_known = Endpoint(metadata)
    client = HttpClient({"transport": well_known})
    endpoint = Endpoint()
    source = endpoint.source(clock, url=None, metadata=MetadataSource(ISSUER, client=client, clock=clock))
    return well_known, endpoint, source


def described(_: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, json={"issuer": ISSUER, "introspection_endpoint": URL})


def test_i7_the_endpoint_is_discovered_once() -> None:
    well_known, endpoint, source = discovering(described, Clock(NOW))
    assert [ask(source, name) for name in "ab"] == [ADA, ADA]
    assert len(well_known.requests) == 1
    assert [str(request.url) for request in endpoint.requests] == [URL, URL]


def test_i7_metadata_that_cannot_be_had_are_trouble_and_asked_for_again_a_second_later() -> None:
    clock = Clock(NOW)
    well_known, endpoint, source = discovering(failing, clock)
    assert ask(source) == Unanswered(5.0)
    assert ask(source) == Unanswered(5.0)
    assert source.health()["last_failure"]["reason"] == "no_metadata"
    assert len(well_known.requests) == 1
    well_known.answer = described
    clock.advance(1)
    assert ask(source) == ADA
    assert endpoint.tokens == ["token"]


# -- the end, and forks ----------------------------------------------------------------------------


def test_a_closed_source_asks_nothing_any_more_and_who_waits_is_told_so() -> None:
    endpoint = Endpoint()
    source = endpoint.source()
    with ThreadPoolExecutor(1) as pool, shut(endpoint):
        waiting = pool.submit(ask, source)
        until(lambda: len(endpoint.tokens) == 1)
        source.close()
        assert waiting.result(LONG) == Unanswered(5.0)
    assert ask(source) == Unanswered(1.0)
    assert source.health()["state"] == "unasked"
    until(lambda: not source._askers)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_inherits_nothing_broken() -> None:
    endpoint, clock = Endpoint(failing), Clock(NOW)
    source = endpoint.source(clock)
    fail(source, 5)
    clock.advance(1)
    endpoint.answer = active

    def in_child() -> None:
        endpoint.gate = threading.Event()
        endpoint.gate.set()
        assert ask(source) == ADA
        assert ask(source, "other") == ADA

    with ThreadPoolExecutor(1) as pool:
        with shut(endpoint):
            probe = pool.submit(ask, source)
            until(lambda: len(endpoint.tokens) == 6)
            with source._lock:
                wait = forked(in_child)
            wait()
        assert probe.result(LONG) == ADA


# -- of a server -----------------------------------------------------------------------------------


def server(endpoint: Endpoint, **options: Any) -> ResourceServer:
    http_options = {"transport": endpoint}
    introspection = Introspection("orders-api", "secret", url=URL, http_options=http_options, **options)
    return ResourceServer(
        Provider(ISSUER, audience="https://api.example", keys=JWKS, introspection=introspection),
        clock=Clock(NOW),
    )


def test_a_server_that_is_closed_asks_nothing_any_more() -> None:
    endpoint = Endpoint()
    asking = server(endpoint)
    with ThreadPoolExecutor(1) as pool, shut(endpoint):
        waiting = pool.submit(asking.verify, "token")
        until(lambda: len(endpoint.tokens) == 1)
        asking.close()
        with pytest.raises(ProviderUnavailable):
            waiting.result(LONG)
    with pytest.raises(ConfigurationError):
        asking.verify("other")


def test_health_of_a_server_says_how_its_questions_go() -> None:
    asking = server(Endpoint(lambda _: httpx2.Response(401)))
    with pytest.raises(ProviderUnavailable):
        asking.verify("token")
    report = asking.health()["providers"][ISSUER]
    assert (report["state"], report["introspection"]["state"]) == ("fixed", "misconfigured")


def test_options_that_the_client_does_not_take_are_told_when_the_server_is_built() -> None:
    introspection = Introspection("orders-api", "secret", url=URL, http_options={"colour": "red"})
    provider = Provider(ISSUER, audience="https://api.example", keys=JWKS, introspection=introspection)
    with pytest.raises(ConfigurationError, match="'colour'"):
        ResourceServer(provider)


def named(name: str, **options: Any) -> Provider:
    introspection = Introspection("orders-api", "secret", url=f"https://{name}.example/introspect", **options)
    issuer = f"https://{name}.example"
    return Provider(issuer, audience="https://api.example", name=name, keys=JWKS, introspection=introspection)


@pytest.mark.parametrize(
    ("prefixes", "told"),
    [
        ((None,), None),
        (("a_", "b_"), None),
        ((None, "b_"), "'p0'"),
        ((None, None), "'p0', 'p1'"),
    ],
)
def test_providers_that_see_the_tokens_of_others_are_told_of_when_the_server_is_built(
    prefixes: tuple[str | None, ...], told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    ResourceServer(*(named(f"p{number}", token_prefix=prefix) for number, prefix in enumerate(prefixes)))
    assert levels(caplog) == ([] if told is None else ["WARNING"])
    assert (told or "") in caplog.text


def test_metadata_are_fetched_as_the_keys_are_where_that_is_said_and_else_as_is_asked() -> None:
    for keys, expected in (
        (RemoteKeys(http_options={"transport": Endpoint(described)}), "keys"),
        (JWKS, "asked"),
    ):
        asked_by = Endpoint(lambda request: (described if request.method == "GET" else active)(request))
        introspection = Introspection("orders-api", "secret", http_options={"transport": asked_by})
        provider = Provider(ISSUER, audience="https://api.example", keys=keys, introspection=introspection)
        with pytest.raises(Exception, match=r"names no 'aud'"):
            ResourceServer(provider).verify("token")
        methods = [request.method for request in asked_by.requests]
        assert methods == (["POST"] if expected == "keys" else ["GET", "POST"])


def test_with_ask_no_keys_are_ever_fetched_and_the_metadata_are() -> None:
    endpoint = Endpoint(lambda request: (described if request.method == "GET" else active)(request))
    introspection = Introspection("orders-api", "secret", jwts="ask", http_options={"transport": endpoint})
    asking = ResourceServer(Provider(ISSUER, audience="https://api.example", introspection=introspection))
    asking.warm_up()
    assert endpoint.requests == []
    assert asking.metadata(ISSUER) == {"issuer": ISSUER, "introspection_endpoint": URL}
    assert asking.health()["providers"][ISSUER]["state"] == "fixed"
