"""An API server of Kubernetes, as far as its discovery goes: TLS by a CA of its own, tokens, and 406."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bearerguard.testing import Issuer
from tests.integration.certificates import write_certificates

_KEY_SET = "application/jwk-set+json"


class ApiServer:
    """Answers at `/openid/v1/jwks` to those who show a token that it knows.

    Args:
        issuer: whose keys it publishes.
        directory: where it puts `ca.crt`.
    """

    def __init__(self, issuer: Issuer, directory: Path) -> None:
        self.issuer = issuer
        self.directory = directory
        self.tokens = {"first"}
        self.shown: list[str | None] = []
        self.accepted: list[str] = []
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[ApiServer]:
        """Serve over TLS on loopback."""
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = api.answer(
                    self.path, self.headers.get("Authorization"), self.headers["Accept"]
                )
                self.send_response(status)
                self.send_header("Content-Type", _KEY_SET if status == 200 else "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = self.certified().wrap_socket(server.socket, server_side=True)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, path: str, authorization: str | None, accept: str) -> tuple[int, bytes]:
        """The status and body for a request; as kube-apiserver has them."""
        self.shown.append(authorization)
        self.accepted.append(accept)
        if authorization is None or authorization.removeprefix("Bearer ") not in self.tokens:
            return 401, b"Unauthorized"
        if path != "/openid/v1/jwks":
            return 404, b"not found"
        named = {part.partition(";")[0].strip() for part in accept.split(",")}
        if not named & {_KEY_SET, "application/*"}:
            return 406, b"406: Not Acceptable"
        return 200, json.dumps(self.issuer.jwks()).encode()

    def certified(self) -> ssl.SSLContext:
        """Make a CA, write it to `ca.crt`, and return what serves with a certificate by it."""
        write_certificates(self.directory)
        (self.directory / "authority.pem").rename(self.directory / "ca.crt")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.directory / "server.pem", self.directory / "server.key")
        return context
