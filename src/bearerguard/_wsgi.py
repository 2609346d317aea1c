"""What every door of WSGI shares: an environ as a request, and how an answer is sent (PEP 3333).

It decides nothing about tokens.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from bearerguard.answer import Answer
from bearerguard.context import Serving, current
from bearerguard.endpoints import Endpoint, EndpointRequest
from bearerguard.request import UNQUOTED, without_origin

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

TOKEN = "bearerguard.token"
"""Where the environ of a request has its `AccessToken`. No header field becomes a key like this."""


class WSGIRequest(Struct, gc=False):
    """An environ as the checks see it (`bearerguard.request.Incoming`)."""

    environ: Environ

    @property
    def url(self) -> str | None:
        """None: only the client or a proxy says what the client wrote there."""
        return None

    @property
    def method(self) -> str | None:
        """The method."""
        method: str = self.environ["REQUEST_METHOD"]
        return method

    @property
    def target(self) -> bytes | None:
        """Path and query as they were sent, or, where the server does not tell, as they are to be written."""
        environ = self.environ
        raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
        if not raw:
            path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
            query = environ.get("QUERY_STRING", "")
            raw = quote(path, safe=UNQUOTED, encoding="latin-1") + (query and f"?{query}")
        return without_origin(raw.encode("latin-1", "replace"))

    @property
    def mount(self) -> str:
        """`SCRIPT_NAME`; nobody says how much of it is the server's, and how much a router has added."""
        mount: str = self.environ.get("SCRIPT_NAME", "")
        return mount.encode("latin-1", "replace").decode("utf-8", "replace")

    @property
    def notes(self) -> Environ:
        """The environ."""
        return self.environ

    @property
    def route(self) -> str | None:
        """None: WSGI has no place for it."""
        return None

    @property
    def certificate(self) -> bytes | None:
        """The client's certificate, where the server hands it over: gunicorn's socket, or mod_wsgi."""
        socket: Any = self.environ.get("gunicorn.socket")
        if hasattr(socket, "getpeercert"):
            certificate: bytes | None = socket.getpeercert(binary_form=True)
            return certificate
        text = self.environ.get("SSL_CLIENT_CERT") or self.environ.get("mod_ssl.SSL_CLIENT_CERT")
        if not text:
            return None
        from ssl import PEM_cert_to_DER_cert  # noqa: PLC0415 - only where the server has one

        return PEM_cert_to_DER_cert(text)

    @property
    def peer(self) -> str | None:
        """The address of the other end, as the server says it."""
        return self.environ.get("REMOTE_ADDR") or None

    def values(self, name: bytes) -> list[bytes]:
        """Return the value of the header field called `name` (in lower case).

        A server joins repeated fields with commas (RFC 9110, section 5.3), which no single token contains.
        """
        value: str | None = self.environ.get(
            "HTTP_AUTHORIZATION" if name == b"authorization" else _variable(name)
        )
        if value is None:
            return []
        return [value.encode() if value.isascii() else value.encode("latin-1", "replace")]


def _variable(name: bytes) -> str:
    """The environ's name of a header field (PEP 3333, "environ Variables")."""
    return "HTTP_" + name.decode("latin-1").upper().replace("-", "_")


def path_of(environ: Environ) -> str:
    """Return the path by which the application routes a request: without the mount, `SCRIPT_NAME`.

    With it, anyone who can choose the mount could make a public path of another one: behind a proxy that lets
    a header field of that name through, gunicorn believes the client where the mount ends.
    """
    path: str = environ.get("PATH_INFO", "")
    # WSGI hands text over as Latin-1 (PEP 3333, "Unicode Issues").
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def request_to(endpoint: Endpoint, environ: Environ) -> EndpointRequest:
    """Return what an endpoint sees of a request; its body is read no further than the endpoint takes it."""
    limit = endpoint.max_body + 1 if endpoint.max_body else 0
    if not environ.get("wsgi.input_terminated"):  # then nothing but the length says where it ends
        length: str = environ.get("CONTENT_LENGTH") or ""
        limit = min(limit, int(length) if length.isdecimal() else 0)
    body = b""
    while len(body) < limit and (chunk := environ["wsgi.input"].read(limit - len(body))):
        body += chunk
    return EndpointRequest(environ["REQUEST_METHOD"], body, environ.get("CONTENT_TYPE") or "")


def respond(environ: Environ, start_response: StartResponse, answer: Answer) -> Iterable[bytes]:
    """Send an HTTP response."""
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.headers)
    return [b""] if environ.get("REQUEST_METHOD") == "HEAD" else [answer.body]


class ServedBody:
    """A body that the application makes while it is sent, when the server's thread serves nobody any more.

    A generator runs no line of the application before the server asks for the first chunk.
    """

    def __init__(self, chunks: Iterable[bytes], served: Serving) -> None:
        self._chunks = chunks
        self._served = served
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        before = current.set(self._served)
        try:
            if self._iterator is None:
                self._iterator = iter(self._chunks)
            return next(self._iterator)
        except StopIteration:
            if inspect.isgenerator(self._chunks):  # closing it runs nothing any more
                self._served.end()
            raise
        finally:
            current.reset(before)

    def close(self) -> None:
        """Close the application's body (PEP 3333, "Specification Details"); the request is over."""
        before = current.set(self._served)
        try:
            close: Callable[[], None] | None = getattr(self._chunks, "close", None)
            if close is not None:
                close()
        finally:
            current.reset(before)
            self._served.end()
