"""A provider that misbehaves: a real HTTP server on loopback whose every answer a test chooses.

An in-process transport cannot stall in the middle of its headers; a socket can. A test scripts each path with
the answers that it is to give, call by call (the last one repeats), and may also close the port, leave
connections in the kernel's queue or make the connect itself hang. The server counts connections and requests.
It uses only the standard library, does no TLS, listens on loopback only, and `close()` ends all its
threads and sockets, whatever they are stuck in.
"""

from __future__ import annotations

import gzip
import json
import select
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """One request as it came: the path with its query, the headers under lower-case names, the body."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Hangup(Exception):
    """The exchange is over: the client went away, or the server is closing."""


class Exchange:
    """One request and the connection to answer it on; what an `Answer` gets."""

    def __init__(self, connection: socket.socket, request: Request, closing: socket.socket) -> None:
        self.request = request
        self._connection = connection
        self._closing = closing

    def send(self, data: bytes) -> None:
        """Send `data` whole, for as long as somebody reads it."""
        try:
            while data:
                _, writable, _ = select.select([self._closing], [self._connection], [])
                if not writable:
                    raise Hangup
                data = data[self._connection.send(data) :]
        except OSError as gone:
            raise Hangup from gone

    def pause(self, seconds: float | None) -> None:
        """Do nothing for `seconds` (None: for ever), unless the client hangs up or the server is closed."""
        readable, _, _ = select.select([self._closing, self._connection], [], [], seconds)
        if readable:
            raise Hangup

    def trickle(self, data: bytes, pause: float) -> None:
        """Send `data` a byte at a time."""
        for position in range(len(data)):
            self.send(data[position : position + 1])
            self.pause(pause)

    def reset(self) -> None:
        """Drop the connection with a TCP reset, as a crashed server or a firewall does."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Hangup


Answer = Callable[[Exchange], None]


def as_body(content: Any) -> bytes:
    """Bytes and text as they are, anything else as JSON."""
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    return json.dumps(content).encode()


def head(status: int, length: int | None, headers: Headers = (), *, content_type: str | None = None) -> bytes:
    """A status line and headers, the blank line included."""
    lines = [f"HTTP/1.1 {status} Scripted"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


# ------------------------------------------------------------------------------------------- good answers


def respond(
    content: Any = b"", *, status: int = 200, headers: Headers = (), content_type: str = "application/json"
) -> Answer:
    """An ordinary answer: `content` is bytes, text, or anything that JSON can say."""
    body = as_body(content)

    def answer(exchange: Exchange) -> None:
        exchange.send(head(status, len(body), headers, content_type=content_type) + body)

    return answer


def followed_by(content: Any, unasked: bytes) -> Answer:
    """An ordinary answer, and in the same breath what nobody has asked for."""
    body = as_body(content)

    def answer(exchange: Exchange) -> None:
        exchange.send(head(200, len(body), content_type="application/json") + body + unasked)

    return answer


def with_etag(content: Any, etag: str = '"v1"', *, headers: Headers = ()) -> Answer:
    """An answer with an `ETag`; 304 to whoever presents it again (RFC 9110 §13.1.2)."""
    fresh = respond(content, headers=[("ETag", etag), *headers])
    unchanged = head(304, None, [("ETag", etag), *headers])

    def answer(exchange: Exchange) -> None:
        if exchange.request.headers.get("if-none-match") == etag:
            exchange.send(unchanged)
        else:
            fresh(exchange)

    return answer


def after(seconds: float, then: Answer) -> Answer:
    """A slow provider: `then`, but only after `seconds`."""

    def answer(exchange: Exchange) -> None:
        exchange.pause(seconds)
        then(exchange)

    return answer


def held(gate: threading.Event, then: Answer) -> Answer:
    """A provider that answers when the test says so: `then`, once `gate` is set."""

    def answer(exchange: Exchange) -> None:
        while not gate.is_set():
            exchange.pause(0.005)
        then(exchange)

    return answer


# ------------------------------------------------------------------------------------------------- faults


def stall() -> Answer:
    """Read the request and never send a byte."""
    return lambda exchange: exchange.pause(None)


def stall_in_headers() -> Answer:
    """Send a status line and half a header, and no more."""

    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: appli")
        exchange.pause(None)

    return answer


def stall_in_body(content: Any) -> Answer:
    """Send the headers and half the body, and no more."""
    body = as_body(content)

    def answer(exchange: Exchange) -> None:
        exchange.send(head(200, len(body), content_type="application/json") + body[: len(body) // 2])
        exchange.pause(None)

    return answer


def trickle_headers(content: Any, pause: float = 0.02) -> Answer:
    """Send the headers a byte at a time, without end: no read ever times out, and nothing ever comes."""
    body = as_body(content)

    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\n")
        for number in range(1_000_000):
            exchange.trickle(f"X-Padding-{number}: {number}\r\n".encode(), pause)
        exchange.send(head(200, len(body)) + body)

    return answer


def trickle_body(content: Any, pause: float = 0.02) -> Answer:
    """Send the headers at once and the body a byte at a time."""
    body = as_body(content)

    def answer(exchange: Exchange) -> None:
        exchange.send(head(200, len(body), content_type="application/json"))
        exchange.trickle(body, pause)

    return answer


def cut_short(content: Any, missing: int = 40) -> Answer:
    """Promise the whole body, and close `missing` bytes before its end."""
    body = as_body(content)

    def answer(exchange: Exchange) -> None:
        exchange.send(head(200, len(body), content_type="application/json") + body[:-missing])
        raise Hangup

    return answer


def cut_in_headers() -> Answer:
    """Close in the middle of a header."""

    def answer(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")
        raise Hangup

    return answer


def no_answer() -> Answer:
    """Read the request and close."""

    def answer(exchange: Exchange) -> None:
        raise Hangup

    return answer


def reset() -> Answer:
    """Read the request and reset the connection."""
    return lambda exchange: exchange.reset()


def not_http() -> Answer:
    """Speak another protocol."""

    def answer(exchange: Exchange) -> None:
        exchange.send(b"220 smtp.issuer.test ESMTP ready\r\n")
        raise Hangup

    return answer


def endless_body() -> Answer:
    """A body without a length and without an end."""

    def answer(exchange: Exchange) -> None:
        exchange.send(head(200, None, content_type="application/json") + b'{"keys": [')
        while True:
            exchange.send(b" " * 65536)

    return answer


def padded(content: Mapping[str, Any], size: int) -> Answer:
    """A valid document of at least `size` bytes."""
    return respond({**content, "padding": "x" * size})


def bomb(content: Mapping[str, Any], size: int, encoding: str = "gzip") -> Answer:
    """A small compressed body that decodes to a valid document of at least `size` bytes."""
    plain = as_body({**content, "padding": "x" * size})
    return compressed(plain, encoding)


def compressed(content: Any, encoding: str = "gzip") -> Answer:
    """An honest compressed answer."""
    plain = as_body(content)
    body = gzip.compress(plain) if encoding == "gzip" else zlib.compress(plain)
    return respond(body, headers=[("Content-Encoding", encoding)])


def redirect(location: str, status: int = 302) -> Answer:
    """Send the client elsewhere."""
    return respond(b"", status=status, headers=[("Location", location)])


def not_modified() -> Answer:
    """304 whatever was asked, also where nobody sent an `If-None-Match`."""
    return lambda exchange: exchange.send(head(304, None))


# ------------------------------------------------------------------------------------------------- server


class FaultServer:
    """An HTTP server on loopback that answers each path as scripted, and 404 elsewhere.

    Use it as a context manager. `script(path, *answers)` sets the answers of a path: the first call gets the
    first, and so on; the last one repeats.

    Example:
        >>> with FaultServer() as server:
        ...     server.script("/jwks", respond({"keys": []}), stall())
        ...     server.url("/jwks").startswith("http://127.0.0.1:")
        True
    """

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[Request] = []
        self._answers: dict[str, list[Answer]] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._fillers: list[socket.socket] = []
        self._accepting = True
        self._idle = threading.Event()  # set as soon as nothing is accepted
        # Every wait selects on `_closing`, which turns readable when `_close` is closed.
        self._closing, self._close = socket.socketpair()
        self._wake_reader, self._wake = socket.socketpair()
        self._listener: socket.socket | None = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._accepter = threading.Thread(target=self._accept_all, name="fault-server", daemon=True)

    def __enter__(self) -> Self:
        self._accepter.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def url(self, path: str = "") -> str:
        """The address of `path` here."""
        return f"http://127.0.0.1:{self.port}{path}"

    def script(self, path: str, *answers: Answer) -> None:
        """From now on `path` gives these answers, in this order; the last one repeats."""
        with self._lock:
            self._answers[path] = list(answers)

    def count(self, path: str) -> int:
        """How many requests for `path` were read so far."""
        return sum(request.path == path for request in self.requests)

    # The faults that come before any path is known; `accept()` ends each of them.

    def refuse(self) -> None:
        """Close the port: a connection is refused."""
        listener, self._listener = self._listener, None
        self._wake.send(b"x")
        if listener is not None:
            # The accepting thread may hold the descriptor in a select: shut it down first, so that the port
            # closes now and not when that thread wakes.
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def stall_accept(self) -> None:
        """Let the kernel complete the connections, and never look at them."""
        self._idle.clear()
        self._accepting = False
        self._wake.send(b"x")

    def stall_connect(self) -> None:
        """Fill the kernel's queue, so that a connect gets no answer (Linux drops the SYN)."""
        self.stall_accept()
        assert self._idle.wait(60), "the accepting thread has not left its select"
        if self._listener is None:
            raise RuntimeError("the port is closed")
        self._listener.listen(0)
        for _ in range(8):
            filler = socket.socket()
            filler.settimeout(0.1)
            self._fillers.append(filler)
            try:
                filler.connect(("127.0.0.1", self.port))
            except TimeoutError:
                return
        raise RuntimeError("the kernel accepts more connections than its queue should hold")

    def accept(self) -> None:
        """Serve again."""
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._listener.listen(128)
        self._accepting = True
        self._wake.send(b"x")

    def close(self) -> None:
        """End every exchange, close every socket, join every thread."""
        self._close.close()
        self._accepter.join()
        for thread in self._threads:
            thread.join()
        listener, self._listener = self._listener, None
        for one in (listener, self._closing, self._wake, self._wake_reader, *self._fillers):
            if one is not None:
                one.close()

    def _accept_all(self) -> None:
        while True:
            listener = self._listener
            watched = [self._closing, self._wake_reader]
            if listener is not None and self._accepting:
                watched.append(listener)
            else:
                self._idle.set()
            try:
                readable, _, _ = select.select(watched, [], [])
            except (OSError, ValueError):  # the listener was closed between the two lines
                continue
            if self._closing in readable:
                return
            if self._wake_reader in readable:
                self._wake_reader.recv(1024)
            elif listener is not None and self._accepting:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    continue
                self._threads = [thread for thread in self._threads if thread.is_alive()]
                self.connections += 1
                thread = threading.Thread(
                    target=self._serve, args=(connection,), name="fault-connection", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while (exchange := self._read(connection)) is not None:
                    self._answer_to(exchange.request.path)(exchange)
            except Hangup:
                pass

    def _read(self, connection: socket.socket) -> Exchange | None:
        received = b""
        while b"\r\n\r\n" not in received:
            if not (data := self._receive(connection)):
                return None
            received += data
        first, _, body = received.partition(b"\r\n\r\n")
        lines = first.decode("latin-1").split("\r\n")
        fields = (line.split(":", 1) for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, value in fields}
        while len(body) < int(headers.get("content-length", "0")):
            if not (data := self._receive(connection)):
                return None
            body += data
        request = Request(lines[0].split(" ")[1], headers, body)
        self.requests.append(request)
        return Exchange(connection, request, self._closing)

    def _receive(self, connection: socket.socket) -> bytes:
        """What comes next; nothing where the connection is over, or the server is closing."""
        readable, _, _ = select.select([self._closing, connection], [], [])
        if self._closing in readable:
            return b""
        try:
            return connection.recv(65536)
        except OSError:
            return b""

    def _answer_to(self, path: str) -> Answer:
        with self._lock:
            answers = self._answers.get(path)
            if not answers:
                return respond({"error": "not scripted"}, status=404)
            return answers[0] if len(answers) == 1 else answers.pop(0)
