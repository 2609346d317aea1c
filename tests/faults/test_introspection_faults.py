"""What each fault of an introspection endpoint does: a 503 in time, for this request and for no token.

Every fault is produced by a real socket. Trouble is never remembered: once it is over, the same token passes.
"""

from __future__ import annotations

import json
import logging
import ssl
from pathlib import Path
from typing import Any

import pytest

from bearerguard.answer import challenges
from tests.faults import fault_server as fault
from tests.faults.asking import AUDIENCE, GOOD, PATH, PATIENT, SECRET, TOKEN, Asking, asking
from tests.faults.fault_server import Answer, FaultServer, respond
from tests.faults.tls_server import DAY, TlsServer, self_signed

STALLED = 0.1  # seconds that a question gets where it will use them up
COLOURS = ["sync", "asyncio", "trio"]
LONG = {**GOOD, "padding": "x" * 70_000}


# --------------------------------------------------------------------------------- what the wire may do


def status(code: int, *headers: tuple[str, str], content: Any = b"") -> Answer:
    return respond(content, status=code, headers=headers)


ON_THE_WIRE: dict[str, Answer] = {
    "closed within the headers": fault.cut_in_headers(),
    "body cut short": fault.cut_short(GOOD),
    "closed without an answer": fault.no_answer(),
    "reset": fault.reset(),
    "not HTTP": fault.not_http(),
    "more than 64 KiB": respond(LONG),
    "body without end": fault.endless_body(),
    "gzip bomb": fault.bomb(GOOD, 5_000_000, "gzip"),
    "deflate bomb": fault.bomb(GOOD, 5_000_000, "deflate"),
    "an encoding that nobody asked for": respond(GOOD, headers=[("Content-Encoding", "br")]),
    "broken compression": respond(GOOD, headers=[("Content-Encoding", "gzip")]),
    "HTTP 204": status(204),
    "HTTP 304": fault.not_modified(),
    "HTTP 500": status(500),
    "HTTP 502, and an active answer": status(502, content=GOOD),
    "HTTP 503": status(503),
    **{f"redirect, {code}": fault.redirect("/elsewhere", code) for code in (301, 302, 303, 307, 308)},
    "HTML": respond("<html>Sign in</html>", content_type="text/html"),
    "JSON that calls itself HTML": respond(GOOD, content_type="text/html"),
    "JSON that calls itself text": respond(GOOD, content_type="text/plain"),
    "no content type": lambda exchange: exchange.send(
        fault.head(200, len(fault.as_body(GOOD))) + fault.as_body(GOOD)
    ),
    "HTML that calls itself JSON": respond("<html>Sign in</html>"),
    "empty": respond(b""),
    "an array": respond([GOOD]),
    "a string": respond('"active"'),
    "true": respond("true"),
    "null": respond("null"),
    "not UTF-8": respond(b'{"active": true, "sub": "\xff\xfe"}'),
    "byte order mark": respond(b"\xef\xbb\xbf" + fault.as_body(GOOD)),
    "nested too deep": respond(b'{"active": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"),
    "two answers": respond(fault.as_body(GOOD) * 2),
    "active is missing": respond({"sub": "user-1"}),
    "active is text": respond({**GOOD, "active": "true"}),
    "active is one": respond({**GOOD, "active": 1}),
    "active is null": respond({**GOOD, "active": None}),
    "active twice": respond('{"active": false, "active": true, "aud": "https://api.test"}'),
    "exp is text": respond({**GOOD, "exp": "2000000000"}),
    "exp is true": respond({**GOOD, "exp": True}),
    "exp is beyond all dates": respond({**GOOD, "exp": 10**30}),
    "exp is null": respond({**GOOD, "exp": None}),
    "aud is an object": respond({**GOOD, "aud": {}}),
    "aud has a number": respond({**GOOD, "aud": [AUDIENCE, 1]}),
    "scope is a number": respond({**GOOD, "scope": 7}),
    "sub is a number": respond({**GOOD, "sub": 7}),
    "client_id is a list": respond({**GOOD, "client_id": ["x"]}),
    "iss is a list": respond({**GOOD, "iss": ["https://issuer.test"]}),
}
STALLING: dict[str, Answer] = {
    "no first byte": fault.stall(),
    "stalls within the headers": fault.stall_in_headers(),
    "stalls within the body": fault.stall_in_body(GOOD),
    "headers trickle": fault.trickle_headers(GOOD),
    "body trickles": fault.trickle_body({**GOOD, "padding": "x" * 4_000}),
}
OURS: dict[str, Answer] = {
    f"HTTP {code}": status(code, content={"error": "invalid_client", "error_description": SECRET})
    for code in (400, 401, 403, 404, 405, 415)
}


def check(faults: FaultServer, answer: Answer, colour: str, timeout: float, caplog: Any) -> Asking:
    """A 503 that can be retried and tells nothing; and nothing of it once the endpoint is well again."""
    caplog.set_level(logging.DEBUG, logger="bearerguard")
    asked = asking(faults.url(PATH), timeout=timeout)
    faults.script(PATH, answer)

    error = asked.unavailable(colour)

    assert (error.status, error.reason, error.retry_after) == (503, "provider_unavailable", 5.0)
    assert ("Retry-After", "5") in challenges(error)
    assert faults.count("/elsewhere") == 0, "no redirect is followed"
    told = json.dumps(asked.server.health())
    logged = "\n".join(json.dumps(record.__dict__, default=repr) for record in caplog.records)
    for text in (told, logged, repr(error), str(error)):
        assert not any(secret in text for secret in (TOKEN, SECRET, "orders-api:"))

    faults.script(PATH, respond(GOOD))
    if timeout is PATIENT:  # else even a good answer may come too late on a busy machine
        assert asked.verify(colour).subject == "user-1"
    return asked


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", ON_THE_WIRE)
def test_a_fault_is_a_503_until_it_is_over(
    faults: FaultServer, name: str, colour: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = check(faults, ON_THE_WIRE[name], colour, PATIENT, caplog)
    assert asked.health["state"] != "misconfigured"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", STALLING)
def test_a_question_that_hangs_is_given_up(
    faults: FaultServer, name: str, colour: str, caplog: pytest.LogCaptureFixture
) -> None:
    check(faults, STALLING[name], colour, STALLED, caplog)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", OURS)
def test_a_refusal_of_our_own_credentials_is_an_error_for_the_operator_and_a_503(
    faults: FaultServer, name: str, colour: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = asking(faults.url(PATH))
    faults.script(PATH, OURS[name])
    assert asked.unavailable(colour).retry_after == 5
    asked.unavailable(colour)
    (error,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "invalid_client" in error.getMessage()
    assert SECRET not in error.getMessage(), "nor is what the endpoint says in its description"
    assert asked.health["state"] == "misconfigured"
    faults.script(PATH, respond(GOOD))
    assert asked.verify(colour).subject == "user-1"
    assert asked.health["state"] != "misconfigured"


@pytest.mark.parametrize("colour", COLOURS)
def test_a_port_that_is_closed_is_a_503(faults: FaultServer, colour: str) -> None:
    asked = asking(faults.url(PATH))
    faults.refuse()
    assert asked.unavailable(colour).retry_after == 5
    faults.accept()
    assert asked.verify(colour).subject == "user-1"


@pytest.mark.parametrize("begin", [FaultServer.stall_connect, FaultServer.stall_accept])
def test_a_connection_that_is_not_taken_is_given_up(faults: FaultServer, begin: Any) -> None:
    asked = asking(faults.url(PATH), timeout=STALLED)
    begin(faults)
    assert asked.unavailable().retry_after == 5
    faults.accept()


# --------------------------------------------------------------------------------------------- Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1", 1),
        ("17", 17),
        ("60", 60),
        ("0", 5),
        ("61", 5),
        ("7200", 5),
        ("-1", 5),
        ("1.5", 5),
        ("soon", 5),
        ("Fri, 27 Nov 2026 07:28:00 GMT", 5),
        ("\u0661", 5),
        ("9" * 5_000, 5),
        ("", 5),
    ],
)
@pytest.mark.parametrize("code", [429, 503])
def test_clients_are_told_to_come_back_when_the_endpoint_says_within_bounds(
    faults: FaultServer, code: int, value: str, seconds: int
) -> None:
    asked = asking(faults.url(PATH))
    sent = value.encode().decode("latin-1")
    faults.script(PATH, status(code, ("Retry-After", sent)))
    error = asked.unavailable()
    assert error.retry_after == seconds
    assert ("Retry-After", str(seconds)) in challenges(error)


def test_a_retry_after_that_comes_twice_does_not_count(faults: FaultServer) -> None:
    asked = asking(faults.url(PATH))
    faults.script(PATH, status(429, ("Retry-After", "17"), ("Retry-After", "18")))
    assert asked.unavailable().retry_after == 5


# ----------------------------------------------------------------------------------------------------- TLS


def certified(folder: Path) -> tuple[Path, Any]:
    path = self_signed(folder)
    return path, ssl.create_default_context(cafile=str(path))


@pytest.mark.parametrize("colour", COLOURS)
def test_a_certificate_that_is_trusted_is_taken(tmp_path: Path, colour: str) -> None:
    path, context = certified(tmp_path)
    with TlsServer(path, fault.as_body(GOOD)) as server:
        assert asking(server.url, verify=context).verify(colour).subject == "user-1"


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    "trouble", ["untrusted", "of another address", "expired", "no TLS", "wants a certificate"]
)
def test_i3_trouble_with_tls_is_a_503_and_no_secret_is_sent(
    tmp_path: Path, trouble: str, colour: str
) -> None:
    path, context = certified(tmp_path)
    served: Path | None = path
    if trouble == "untrusted":
        context = ssl.create_default_context()
    elif trouble == "of another address":
        served = self_signed(tmp_path, address="127.0.0.2")
        context = ssl.create_default_context(cafile=str(served))
    elif trouble == "expired":
        served = self_signed(tmp_path, ends=-DAY)
        context = ssl.create_default_context(cafile=str(served))
    elif trouble == "no TLS":
        served = None
    wants = trouble == "wants a certificate"
    with TlsServer(served, fault.as_body(GOOD), wants_certificate=wants) as server:
        assert asking(server.url, verify=context).unavailable(colour).retry_after == 5
        assert server.requests == 0
