"""How an introspection endpoint is asked over a real socket: how often, by how many, and again when."""

from __future__ import annotations

import gzip
import json
import sys
import threading
from typing import Any
from urllib.parse import parse_qs

import anyio
import anyio.lowlevel
import pytest

from bearerguard import Introspection, InvalidToken
from bearerguard._flows.effects import FetchFailed, HttpGet
from bearerguard._io.http import HttpClient
from bearerguard.testing import Issuer
from tests.faults import fault_server as fault
from tests.faults.asking import GOOD, PATH, PATIENT, TOKEN, Asking, asking
from tests.faults.fault_server import FaultServer, respond
from tests.faults.scripted_provider import NO_CERTIFICATES, auntil, in_time, until

DOWN = respond(b"", status=500)

# -- asked again, and how


def test_a_connection_that_is_reset_before_a_byte_came_is_tried_once_more(faults: FaultServer) -> None:
    asked = asking(faults.url(PATH))
    for broken in (fault.reset(), fault.no_answer()):
        faults.script(PATH, broken, respond(GOOD))
        before = faults.count(PATH)
        assert asked.verify(token=f"{TOKEN}-{before}").subject == "user-1"
        assert faults.count(PATH) == before + 2


def test_it_is_not_tried_a_third_time(faults: FaultServer) -> None:
    asked = asking(faults.url(PATH))
    faults.script(PATH, fault.reset(), fault.reset(), respond(GOOD))
    asked.unavailable()
    assert faults.count(PATH) == 2


def test_what_broke_off_later_is_not_asked_again(faults: FaultServer) -> None:
    asked = asking(faults.url(PATH))
    faults.script(PATH, fault.cut_short(GOOD), respond(GOOD))
    asked.unavailable()
    assert faults.count(PATH) == 1


def test_an_assertion_is_not_sent_twice(faults: FaultServer) -> None:
    issuer = Issuer()
    asked = asking_with_key(faults.url(PATH), issuer)
    faults.script(PATH, fault.reset(), respond(GOOD))
    asked.verify()
    first, second = (parse_qs(request.body.decode()) for request in faults.requests)
    assert first.pop("client_assertion") != second.pop("client_assertion")
    assert first == second


def asking_with_key(url: str, issuer: Issuer) -> Asking:
    introspection = Introspection(
        issuer.client_id,
        method="private_key_jwt",
        key=issuer.client_key.private_pem(),
        url=url,
        http_options={"timeout": PATIENT, "verify": NO_CERTIFICATES, "trust_env": False},
    )
    server = issuer.resource_server(keys=issuer.jwks(), name="asked", introspection=introspection)
    return Asking(issuer.clock, server)


def test_one_question_after_the_other_goes_over_one_connection(faults: FaultServer) -> None:
    asked = asking(faults.url(PATH))
    for number in range(5):
        asked.verify(token=f"{TOKEN}-{number}")
        asked.rests()
    assert (faults.count(PATH), faults.connections) == (5, 1)


def test_what_comes_behind_an_answer_is_not_the_answer_to_the_next_question(faults: FaultServer) -> None:
    asked = asking(faults.url(PATH))
    body = fault.as_body({**GOOD, "sub": "somebody else"})
    another = fault.head(200, len(body), content_type="application/json") + body
    faults.script(PATH, fault.followed_by(GOOD, another), respond({"active": False}), respond(GOOD))
    asked.unavailable()  # which of the two was meant, nobody can say
    with pytest.raises(InvalidToken) as refused:
        asked.verify(token="never-issued")
    assert refused.value.reason == "inactive"
    asked.rests()
    assert asked.verify(token="the-next").subject == "user-1"
    assert (faults.count(PATH), faults.connections) == (3, 2)


def test_a_blank_line_behind_an_answer_costs_no_more_than_the_connection(faults: FaultServer) -> None:
    asked = asking(faults.url(PATH))
    faults.script(PATH, fault.followed_by(GOOD, b"\r\n"), respond(GOOD))
    assert asked.verify().subject == "user-1"
    asked.rests()
    assert asked.verify(token="another").subject == "user-1"
    assert faults.connections == 2


def test_what_comes_behind_the_metadata_is_not_the_key_set(faults: FaultServer) -> None:
    body = fault.as_body({"keys": ["of somebody else"]})
    another = fault.head(200, len(body), content_type="application/json") + body
    faults.script("/metadata", fault.followed_by({"metadata": True}, another))
    faults.script("/jwks", respond({"keys": []}))
    session = HttpClient({"trust_env": False, "timeout": PATIENT}).session()
    bodies = [session.get(HttpGet(faults.url(path))).body for path in ("/metadata", "/jwks")]
    session.abort()
    assert bodies == [b'{"metadata": true}', b'{"keys": []}']


def test_what_is_cut_from_elsewhere_is_closed_by_who_asks_over_it(faults: FaultServer) -> None:
    """A descriptor that is closed while another thread reads from it may be another connection's by then."""
    faults.script("/jwks", respond({"keys": []}))
    session = HttpClient({"trust_env": False, "timeout": PATIENT}).session()
    session.get(HttpGet(faults.url("/jwks")))
    (client,) = session._open.values()
    transport: Any = client._transport
    (connection,) = transport._pool.connections
    connected = connection._connection._network_stream.get_extra_info("socket")
    session.cut()
    assert connected.recv(1) == b""
    with pytest.raises(FetchFailed, match="not asked any more"):
        session.get(HttpGet(faults.url("/jwks")))
    session.abort()
    assert connected.fileno() == -1
    assert faults.count("/jwks") == 1


def test_a_cookie_of_one_answer_is_not_sent_with_the_next_question(faults: FaultServer) -> None:
    asked = asking(faults.url(PATH))
    faults.script(PATH, respond(GOOD, headers=[("Set-Cookie", "session=of-the-first; Path=/")]))
    for number in range(3):
        asked.verify(token=f"{TOKEN}-{number}")
    assert not any("cookie" in request.headers for request in faults.requests)


def test_a_compressed_answer_is_read(faults: FaultServer) -> None:
    asked = asking(faults.url(PATH))
    faults.script(PATH, fault.compressed(GOOD))
    assert asked.verify().subject == "user-1"


def test_an_answer_of_64_kib_is_read(faults: FaultServer) -> None:
    padding = "x" * (65_536 - len(json.dumps({**GOOD, "padding": ""})))
    body = fault.as_body({**GOOD, "padding": padding})
    assert len(body) == 65_536
    asked = asking(faults.url(PATH))
    faults.script(PATH, respond(body))
    assert asked.verify().claims["padding"] == padding
    faults.script(PATH, respond(gzip.compress(body + b" "), headers=[("Content-Encoding", "gzip")]))
    asked.unavailable(token="another")


@pytest.mark.parametrize("content_type", ["Application/JSON", "application/json; charset=utf-8"])
def test_a_content_type_may_be_written_in_any_case_and_have_parameters(
    faults: FaultServer, content_type: str
) -> None:
    asked = asking(faults.url(PATH))
    faults.script(PATH, respond(GOOD, content_type=content_type))
    assert asked.verify().subject == "user-1"


# ----------------------------------------------------------------------------------------------- the breaker


def test_after_five_failures_nobody_asks_but_one_who_probes(faults: FaultServer) -> None:
    asked = asking(faults.url(PATH))
    faults.script(PATH, DOWN)
    for number in range(5):
        asked.unavailable(token=f"{TOKEN}-{number}")
    assert faults.count(PATH) == 5

    asked.unavailable()
    assert faults.count(PATH) == 5, "nobody is asked now"
    rest = 1.0
    for probes in range(1, 7):
        asked.clock.advance(rest - 0.1)
        asked.unavailable()
        assert faults.count(PATH) == 4 + probes, f"it rests {rest:g} s"
        asked.clock.advance(0.1)
        asked.unavailable()
        assert faults.count(PATH) == 5 + probes
        rest = min(2 * rest, 30.0)

    asked.clock.advance(rest)
    faults.script(PATH, respond(GOOD))
    assert asked.verify().subject == "user-1"
    assert asked.verify(token="another").subject == "user-1"


def test_while_one_probes_all_others_are_told_to_come_back_at_once(faults: FaultServer) -> None:
    asked = asking(faults.url(PATH))
    faults.script(PATH, DOWN)
    for number in range(5):
        asked.unavailable(token=f"{TOKEN}-{number}")
    asked.clock.advance(1)
    gate = threading.Event()
    faults.script(PATH, fault.held(gate, respond(GOOD)))
    probe = threading.Thread(target=asked.verify, daemon=True)
    probe.start()
    until(lambda: faults.count(PATH) == 6, "the probe")

    for number in range(3):
        asked.unavailable(token=f"{TOKEN}-{number}")
    assert faults.count(PATH) == 6

    gate.set()
    probe.join(PATIENT)
    assert asked.verify(token="another").subject == "user-1"


def test_a_token_that_is_known_passes_while_the_endpoint_is_down(faults: FaultServer) -> None:
    asked = asking(faults.url(PATH))
    asked.verify()
    faults.script(PATH, DOWN)
    for number in range(7):
        asked.unavailable(token=f"{TOKEN}-{number}")
        assert asked.verify().subject == "user-1"
    asked.clock.advance(30)
    asked.unavailable()


def test_an_answer_that_says_something_of_a_token_ends_a_row_of_failures(faults: FaultServer) -> None:
    asked = asking(faults.url(PATH))
    for number in range(12):
        faults.script(PATH, DOWN)
        asked.unavailable(token=f"{TOKEN}-{number}")
        if number % 4 == 3:
            faults.script(PATH, respond({"active": False}))
            with pytest.raises(InvalidToken):
                asked.verify(token=f"unknown-{number}")
    assert faults.count(PATH) == 15


# ------------------------------------------------------------------------------------------- many at once


def waits(thread: threading.Thread) -> bool:
    """Whether a thread stands in a wait: a plain one on its ticket, that of a loop for whatever comes."""
    frame = sys._current_frames().get(thread.ident or 0)
    # What watches for calls that block an event loop stands in between.
    innermost = [one.f_code.co_name for one in (frame, frame and frame.f_back) if one is not None]
    return not {"wait", "select", "get_events"}.isdisjoint(innermost)


def test_two_hundred_requests_with_one_new_token_are_one_question(faults: FaultServer) -> None:
    gate = threading.Event()
    faults.script(PATH, fault.held(gate, respond(GOOD)))
    asked = asking(faults.url(PATH))
    subjects: list[str | None] = []
    began = threading.Semaphore(0)

    def in_a_thread() -> None:
        began.release()
        subjects.append(asked.server.verify(TOKEN).subject)

    async def in_a_loop() -> None:
        async def one() -> None:
            began.release()
            subjects.append((await asked.server.averify(TOKEN)).subject)

        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(one)

    threads = [threading.Thread(target=in_a_thread, daemon=True) for _ in range(100)]
    threads += [
        threading.Thread(target=lambda backend=backend: anyio.run(in_a_loop, backend=backend), daemon=True)
        for backend in ("asyncio", "trio")
    ]
    for thread in threads:
        thread.start()
    for _ in range(200):
        assert began.acquire(timeout=PATIENT)
    until(lambda: faults.count(PATH) == 1, "the question")
    until(lambda: all(map(waits, threads)), "the waiting of all")
    gate.set()
    for thread in threads:
        thread.join(PATIENT)
    assert subjects == ["user-1"] * 200
    assert faults.count(PATH) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_request_that_is_cancelled_hurts_nobody(faults: FaultServer, backend: str) -> None:
    gate = threading.Event()
    faults.script(PATH, fault.held(gate, respond(GOOD)))
    asked = asking(faults.url(PATH))

    async def main() -> str | None:
        subjects: list[str | None] = []

        async def one(scope: anyio.CancelScope) -> None:
            with scope:
                subjects.append((await asked.server.averify(TOKEN)).subject)

        leader, follower = anyio.CancelScope(), anyio.CancelScope()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one, leader)
            await auntil(lambda: faults.count(PATH) == 1, "the question")
            tasks.start_soon(one, follower)
            await anyio.lowlevel.checkpoint()
            leader.cancel()
            await anyio.lowlevel.checkpoint()
            gate.set()
        (subject,) = subjects
        return subject

    assert in_time(lambda: anyio.run(main, backend=backend)) == "user-1"
    assert faults.count(PATH) == 1
