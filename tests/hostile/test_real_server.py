"""Header fields as real servers hand them over: what h11 and httptools make of bytes that no client sends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import uvicorn

from tests.doors_under_test.starlette_doors import Authenticate
from tests.hostile import minting
from tests.hostile.challenge_grammar import parse_challenge
from tests.hostile.oracle import shows

TOKEN = minting.token().encode()
ALTERED = TOKEN[:-10] + (b"B" if TOKEN[-10:-9] == b"A" else b"A") + TOKEN[-9:]
ENOUGH = 60.0
"""Seconds after which an answer is called missing."""

Send = Callable[[bytes], tuple[int, dict[bytes, list[bytes]], bytes]]


@contextmanager
def served(http: str) -> Iterator[Send]:
    """A protected application on loopback; sends raw bytes, returns status, header fields and body."""
    app = Authenticate().open_for(minting.issuer).app
    config = uvicorn.Config(app, http=http, ws="none", loop="asyncio", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield lambda raw: exchange(listening.getsockname(), raw)
        finally:
            server.should_exit = True
            thread.join(ENOUGH)
            assert not thread.is_alive()


def exchange(address: tuple[str, int], raw: bytes) -> tuple[int, dict[bytes, list[bytes]], bytes]:
    with socket.create_connection(address, timeout=ENOUGH) as connection:
        answer = b""
        with suppress(BrokenPipeError, ConnectionResetError):  # it has answered already, and heard enough
            connection.sendall(raw)
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields: dict[bytes, list[bytes]] = {}
    for line in lines:
        name, _, value = line.partition(b": ")
        fields.setdefault(name.lower(), []).append(value)
    return int(first.split(b" ")[1]), fields, body


def request(*lines: bytes) -> bytes:
    return b"\r\n".join([b"GET / HTTP/1.1", b"Host: api.test", *lines, b"Connection: close", b"", b""])


@pytest.fixture(scope="module", params=["h11", "httptools"])
def send(request: pytest.FixtureRequest) -> Iterator[Send]:
    with served(request.param) as send:
        yield send


CASES = {
    "valid": (request(b"Authorization: Bearer " + TOKEN), {200}),
    "name in capitals": (request(b"AUTHORIZATION: Bearer " + TOKEN), {200}),
    "no space after the colon": (request(b"Authorization:Bearer " + TOKEN), {200}),
    "white space in front": (request(b"Authorization: \t Bearer " + TOKEN), {200}),
    "nothing": (request(), {400}),
    "empty": (request(b"Authorization:"), {400}),
    "scheme alone": (request(b"Authorization: Bearer"), {400}),
    "another scheme": (request(b"Authorization: Basic dTpw"), {400}),
    "twice": (request(*[b"Authorization: Bearer " + TOKEN] * 2), {400}),
    "twice, apart and in two cases": (
        request(b"Authorization: Bearer " + TOKEN, b"X: y", b"authorization: Bearer " + TOKEN),
        {400},
    ),
    "comma": (request(b"Authorization: Bearer " + TOKEN + b", Bearer " + TOKEN), {400}),
    "latin-1": (request(b"Authorization: Bearer \xe9\xff"), {401}),
    "altered": (request(b"Authorization: Bearer " + ALTERED), {401}),
    "16 kB and one": (request(b"Authorization: Bearer " + b"A" * (16 * 1024 + 1)), {401}),
}
# What a server may refuse by itself, before anybody sees the header:
BY_THE_SERVER = {
    "white space behind": (request(b"Authorization: Bearer " + TOKEN + b" \t "), {200, 400}),
    "NUL": (request(b"Authorization: Bearer " + TOKEN + b"\0"), {400, 401}),
    "folded line": (request(b"Authorization: Bearer", b" " + TOKEN), {200, 400}),
    "space before the colon": (request(b"Authorization : Bearer " + TOKEN), {400}),
    "bare line feed": (request(b"Authorization: Bearer " + TOKEN + b"\nX: y"), {200, 400}),
    "bare carriage return": (request(b"Authorization: Bearer a\rb"), {400, 401}),
    "1 MB": (request(b"Authorization: Bearer " + b"A" * 2**20), {400, 401, 431}),
    "a thousand fields": (request(*[b"Authorization: Bearer " + TOKEN[:20]] * 1000), {400, 431}),
}


@pytest.mark.parametrize("name", [*CASES, *BY_THE_SERVER])
def test_a_real_server_answers_every_header_with_a_decision(name: str, send: Send) -> None:
    raw, statuses = {**CASES, **BY_THE_SERVER}[name]
    status, fields, body = send(raw)
    assert status in statuses
    said = b"\n".join([*(b",".join(values) for values in fields.values()), body]).decode("latin-1")
    assert not shows(said, TOKEN.decode())
    if name not in BY_THE_SERVER:
        challenges = fields.get(b"www-authenticate", [])
        assert len(challenges) == (status != 200)
        for challenge in challenges:
            parse_challenge(challenge)


def test_after_all_that_the_server_still_answers(send: Send) -> None:
    status, _, _ = send(request(b"Authorization: Bearer " + TOKEN))
    assert status == 200
