"""One request to an application, without a server: ASGI and WSGI, and what came back in one form.

Both sides are held to their specification: `wsgiref.validate` watches the WSGI applications, `_judge` the
messages of the ASGI ones.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Any, Protocol, TypeVar
from wsgiref.validate import validator

from tests.hostile.challenge_grammar import parse_challenge

Fields = Sequence[tuple[bytes, bytes]]
T = TypeVar("T")


class ApplicationError(Exception):
    """Raised by the application itself in some tests; a server makes a 500 of it."""


@dataclass(frozen=True)
class Request:
    """What a client sends. `path` is the full one, with the `mount` that the application stands at.

    Attributes:
        raw_path: the path as it was sent, where that is not the same.
        server: the name and the port that the request came to.
        peer: the address of the other end of the connection; None for a Unix socket.
        certificate: what the client showed, as PEM, to a server that ends TLS itself and hands it over.
    """

    method: str = "GET"
    path: str = "/"
    fields: Fields = ()
    query: str = ""
    body: bytes = b""
    mount: str = ""
    raw_path: bytes | None = None
    server: tuple[str, int] = ("127.0.0.1", 443)
    peer: str | None = "127.0.0.1"
    certificate: str | None = None


@dataclass(frozen=True)
class Answer:
    """What comes back: names of fields in lower case, one pair for each line."""

    status: int
    fields: Sequence[tuple[str, str]] = ()
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        """The values of every field of this name."""
        return [value for field, value in self.fields if field == name]

    def one(self, name: str) -> str:
        """The value of the one field of this name."""
        (value,) = self.all(name)
        return value

    @property
    def challenge(self) -> dict[str, str]:
        """The parameters of its one challenge, which a strict reader has to understand."""
        return parse_challenge(self.one("www-authenticate").encode("latin-1"))

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """All that was sent, to be searched."""
        return repr(self.fields) + self.body.decode("utf-8", "replace")


class Ask(Protocol):
    """Sends a request to an application, and all of several at the same time."""

    def __call__(self, app: Any, *requests: Request) -> list[Answer]: ...


_runner = asyncio.Runner()
atexit.register(_runner.close)


def run(main: Callable[[], Any]) -> Any:
    """Run a task as a server does: on one loop, and in a context that the next request does not see."""
    return _runner.run(main(), context=contextvars.copy_context())


def sent_fields(request: Request) -> Fields:
    """The fields of a request, with those that every client sends."""
    names = {name.lower() for name, _ in request.fields}
    usual = [(b"host", b"api.test"), (b"accept", b"*/*")]
    return [*(field for field in usual if field[0] not in names), *request.fields]


# -- ASGI ------------------------------------------------------------------------------------------------


def ask_asgi(app: Any, *requests: Request) -> list[Answer]:
    async def all_at_once() -> list[Answer]:
        return await asyncio.gather(*(over_asgi(app, request) for request in requests))

    answers: list[Answer] = run(all_at_once)
    return answers


async def over_asgi(app: Any, request: Request, *, waits: bool = False) -> Answer:
    """The answer to one request, of a client that has gone once it was sent, or one that waits."""
    scope = {**_connection(request), "type": "http", "method": request.method}
    try:
        sent = await messages(app, scope, request.body, waits=waits)
    except ApplicationError:
        return Answer(500)
    return _judge(sent, "http.response")


def open_websocket(app: Any, request: Request, *, can_be_denied: bool = False) -> Answer:
    """The answer to the opening of a WebSocket: 101 with what is sent first, or what a server makes of it."""
    offered = [value.decode() for name, value in request.fields if name.lower() == b"sec-websocket-protocol"]
    names = [one.strip() for value in offered for one in value.split(",")]
    scope = {**_connection(request), "type": "websocket", "scheme": "ws", "subprotocols": names}
    if can_be_denied:
        scope["extensions"]["websocket.http.response"] = {}
    sent: list[Any] = run(lambda: messages(app, scope, b""))
    kind = sent[0]["type"]
    if kind == "websocket.accept":
        chosen = sent[0].get("subprotocol")
        fields = [] if chosen is None else [("sec-websocket-protocol", chosen)]
        fields += [("close-code", str(one["code"])) for one in sent if one["type"] == "websocket.close"]
        said = next((one["text"] for one in sent if one["type"] == "websocket.send"), "null")
        return Answer(101, fields, said.encode())
    if kind == "websocket.close":
        assert len(sent) == 1
        assert len(sent[0]["reason"].encode()) <= 123, "a control frame has no room for more (RFC 6455, 5.5)"
        return Answer(403, [("close-code", str(sent[0]["code"]))], sent[0]["reason"].encode())
    assert can_be_denied
    return _judge(sent, "websocket.http.response")


async def messages(app: Any, scope: dict[str, Any], body: bytes, *, waits: bool = False) -> list[Any]:
    """What an ASGI application sends."""
    sent: list[Any] = []
    websocket = scope["type"] == "websocket"
    received: list[dict[str, Any]] = [
        {"type": "websocket.connect"}
        if websocket
        else {"type": "http.request", "body": body, "more_body": False}
    ]

    async def receive() -> dict[str, Any]:
        if received:
            return received.pop()
        if waits:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return {"type": "websocket.disconnect", "code": 1000} if websocket else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        await asyncio.sleep(0)

    try:
        await app(scope, receive, send)
    except OSError:  # as an application meets a client that has gone
        assert sent[-1]["type"] == "websocket.close"
    return sent


def _connection(request: Request) -> dict[str, Any]:
    return {
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "https",
        "path": request.path,
        "raw_path": request.path.encode() if request.raw_path is None else request.raw_path,
        "query_string": request.query.encode(),
        "root_path": request.mount,
        "headers": [(name.lower(), value) for name, value in sent_fields(request)],
        "client": None if request.peer is None else (request.peer, 50000),
        "server": request.server,
        "extensions": {}
        if request.certificate is None
        else {"tls": {"client_cert_chain": [request.certificate]}},
    }


def _judge(sent: list[Any], kind: str) -> Answer:
    start, *rest = sent
    assert start["type"] == f"{kind}.start"
    assert [message["type"] for message in rest] == [f"{kind}.body"] * len(rest)
    assert [message.get("more_body", False) for message in rest] == [True] * (len(rest) - 1) + [False]
    fields = []
    for name, value in start["headers"]:
        assert type(name) is type(value) is bytes
        assert name == name.lower()
        assert not {*name, *value} & {0, 10, 13}
        fields.append((name.decode("ascii"), value.decode("latin-1")))
    return Answer(start["status"], fields, b"".join(message.get("body", b"") for message in rest))


# -- WSGI ------------------------------------------------------------------------------------------------


def ask_wsgi(app: Any, *requests: Request) -> list[Answer]:
    if len(requests) == 1:
        return [_over_wsgi(app, requests[0])]  # on this thread, where the next request comes too
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(lambda request: _over_wsgi(app, request), requests))


_TOO_LARGE = {"request entity too large", "content too large"}
"""Of RFC 7231 and of RFC 9110: Python and frameworks changed their words at different times."""


def _over_wsgi(app: Any, request: Request) -> Answer:
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started[:] = [status, headers]
        return lambda chunk: None

    try:
        chunks = validator(app)(environ_of(request), start_response)
        try:
            body = b"".join(chunks)
        finally:
            chunks.close()  # type: ignore[attr-defined]
    except ApplicationError:
        return Answer(500)
    status, headers = started
    code, _, phrase = status.partition(" ")
    said = {HTTPStatus(int(code)).phrase.lower()} | (_TOO_LARGE if code == "413" else set())
    assert phrase.lower() in said
    return Answer(int(code), [(name.lower(), value) for name, value in headers], body)


def environ_of(request: Request) -> dict[str, Any]:
    """What a WSGI server makes of a request (PEP 3333): fields of one name are joined by commas."""
    assert request.path.startswith(request.mount)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": request.mount,
        "PATH_INFO": request.path[len(request.mount) :],
        "QUERY_STRING": request.query,
        "SERVER_NAME": request.server[0],
        "SERVER_PORT": str(request.server[1]),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.peer or "",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if request.certificate is not None:
        environ["SSL_CLIENT_CERT"] = request.certificate
    for name, value in sent_fields(request):
        key, text = name.decode("latin-1").upper().replace("-", "_"), value.decode("latin-1")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ
