"""An issuer's real HTTP server, on loopback.

One thread per connection and one connection per request, so that any client can be tested against it. It
listens on 127.0.0.1 only. Once it is closed, none of its threads and sockets are left.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self, cast

from bearerguard.testing.exchange import Answers, Request

__all__ = ["LoopbackServer"]

_LARGEST_BODY = 64 * 1024
_IDLE_SECONDS = 5.0


class LoopbackServer(socketserver.ThreadingMixIn, HTTPServer):
    """Serves an issuer between `__enter__` and `__exit__`.

    Args:
        issuer: the issuer that answers.
        port: a free one where it is 0.
    """

    daemon_threads = False  # so that closing waits for them
    request_queue_size = 128

    def __init__(self, issuer: Answers, port: int) -> None:
        self.issuer = issuer
        self.closing: threading.Event = threading.Event()
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Connection)
        self._thread = threading.Thread(
            target=self.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="bearerguard-test-issuer",
            daemon=True,
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.closing.set()
        self.issuer.look_again()  # requests that wait for a slow issuer wait no longer
        with self._connections_lock:
            for connection in self._connections:
                _hang_up(connection)
        self.server_close()

    def server_bind(self) -> None:
        """Bind, without HTTPServer's look-up of the host's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name: str = "127.0.0.1"
        self.server_port: int = self.port

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, to hang up when closing."""
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show what went wrong, unless it is a client that hung up."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "bearerguard-test-issuer"
    sys_version = ""
    timeout: ClassVar[float | None] = _IDLE_SECONDS

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_OPTIONS(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing: `Issuer.requests` is the log."""

    def _answer(self) -> None:
        self.close_connection = True
        server = cast("LoopbackServer", self.server)
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _LARGEST_BODY:
            self.send_error(413)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _, query = self.path.partition("?")
        asked = Request(self.command, path, headers, self.rfile.read(int(length)), query)
        response = server.issuer.answer(asked, cut_short=server.closing.is_set)
        if response is None:  # an outage: hang up without a word
            return
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        if response.status != 304:
            self.send_header("Content-Length", str(len(response.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(response.body)


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may be gone already
        connection.shutdown(socket.SHUT_RDWR)
