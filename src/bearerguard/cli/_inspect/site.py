"""Serves the page of `inspect` on loopback, to whoever has its address: nobody else gets more than a 403.

The address has a secret in it, made anew for each start, and only one `Host` is answered: a page of somebody
else can neither guess the one nor send the other. Nothing is stored or logged.
"""

from __future__ import annotations

import hmac
import re
import secrets
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self, cast
from urllib.parse import parse_qs

from bearerguard.cli._inspect.style import SOURCE

__all__ = ["Site"]

_LARGEST = 512 * 1024
_SECONDS = 10.0
_FIELDS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    (
        "Content-Security-Policy",
        "; ".join(
            (
                "default-src 'none'",
                f"style-src {SOURCE}",
                "form-action 'self'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
            )
        ),
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)

Pages = Callable[[dict[str, str] | None], str]


class Site:
    """The page, between `__enter__` and `__exit__`.

    Args:
        pages: makes the page of the fields of a form; of None, the first one.

    Attributes:
        url: its address, with the secret in it.
    """

    def __init__(self, pages: Pages) -> None:
        self._server = _Server(pages)
        self.url = f"http://{self._server.host}{self._server.path}"
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="bearerguard-inspect",
            daemon=True,
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.path = f"/{secrets.token_urlsafe(32)}"
        super().__init__(("127.0.0.1", 0), _Connection)
        self.host = f"127.0.0.1:{self.server_address[1]}"

    def server_bind(self) -> None:
        """Bind, without HTTPServer's look-up of the host's name, which can take seconds."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as it is called
        """Name a defect, without a word of what was sent; a browser that hung up is not one."""
        problem = sys.exception()
        if problem is not None and not isinstance(problem, OSError):
            print(f"The page could not be made: {type(problem).__name__}.", file=sys.stderr)


class _Connection(BaseHTTPRequestHandler):
    server_version = "bearerguard"
    sys_version = ""
    timeout: ClassVar[float | None] = _SECONDS

    def do_GET(self) -> None:
        if self._is_let_in():
            self._send(200, self._site.pages(None))

    def do_POST(self) -> None:
        if not self._is_let_in():
            return
        length = self.headers.get("Content-Length", "")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if not re.fullmatch("[0-9]{1,9}", length) or kind != "application/x-www-form-urlencoded":
            self._send(400, "This is not what the form sends.")
        elif int(length) > _LARGEST:
            self._send(413, "That is too much for a token.")
        else:
            form = parse_qs(self.rfile.read(int(length)).decode("utf-8", "replace"), keep_blank_values=True)
            self._send(200, self._site.pages({name: values[0] for name, values in form.items()}))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # every other method
            return self._refuse
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing: the address has the secret in it."""

    @property
    def _site(self) -> _Server:
        return cast("_Server", self.server)

    def _is_let_in(self) -> bool:
        """Whether a request has the address, names this host, and comes from this page or its owner."""
        hosts = self.headers.get_all("Host") or []
        origins = self.headers.get_all("Origin") or []
        sites = self.headers.get_all("Sec-Fetch-Site") or []
        # Browsers send the origin of a page without referrers as null.
        is_ours = hosts == [self._site.host] and set(origins) <= {f"http://{self._site.host}", "null"}
        is_ours = is_ours and set(sites) <= {"none", "same-origin"}
        if is_ours and hmac.compare_digest(self.path.encode(), self._site.path.encode()):
            return True
        self._refuse()
        return False

    def _refuse(self) -> None:
        self._send(403, "Nothing is here for you.")

    def _send(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in _FIELDS:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
