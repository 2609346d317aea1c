"""A server on loopback whose TLS is at fault, and one whose TLS is not: only the handshake differs."""

from __future__ import annotations

import datetime as dt
import re
import socket
import ssl
import threading
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.faults.fault_server import head

DAY = dt.timedelta(days=1)


def self_signed(folder: Path, *, address: str = "127.0.0.1", ends: dt.timedelta = DAY) -> Path:
    """A certificate for `address` that ends so long from now, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provider.test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / f"{address} {ends.days}.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + pem)
    return path


class TlsServer:
    """Answers every request with one body of JSON, if the handshake succeeds. Use it as a context manager.

    Args:
        certificate: PEM with its key; None to speak HTTP without TLS.
        body: what is answered.
        wants_certificate: whether clients have to show one.
    """

    def __init__(self, certificate: Path | None, body: bytes, *, wants_certificate: bool = False) -> None:
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
            if wants_certificate:
                self._context.verify_mode = ssl.CERT_REQUIRED
        self._body = body
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, name="tls-server", daemon=True)
        self.requests = 0
        port = self._listener.getsockname()[1]
        self.url: str = f"https://127.0.0.1:{port}/introspect"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            with connection:
                connection.settimeout(10)
                try:
                    self._answer(connection)
                except OSError:  # the client does not like what it sees
                    continue

    def _answer(self, connection: socket.socket) -> None:
        talking = connection
        if self._context is not None:
            talking = self._context.wrap_socket(connection, server_side=True)
        with talking:
            received = b""
            while not _is_whole(received):  # what is not read when it is closed resets the connection
                data = talking.recv(65536)
                if not data:
                    return
                received += data
            self.requests += 1
            close = [("Connection", "close")]
            talking.sendall(head(200, len(self._body), close, content_type="application/json") + self._body)


def _is_whole(received: bytes) -> bool:
    """Whether a request has come with all of its body."""
    fields, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", fields, re.IGNORECASE)
    return bool(end) and len(body) >= int(length[1] if length else 0)
