"""A client's certificate as each proxy writes it into a header field; it shares no code with the reader."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from ssl import DER_cert_to_PEM_cert
from urllib.parse import quote


def byte_sequence(certificate: bytes) -> bytes:
    return b":" + b64encode(certificate) + b":"


def escaped_pem(certificate: bytes) -> bytes:
    return quote(DER_cert_to_PEM_cert(certificate), safe="").encode()


def pem_with_plain_base64(certificate: bytes) -> bytes:
    """As AWS escapes it: `+`, `=` and `/` are left as they are."""
    return quote(DER_cert_to_PEM_cert(certificate), safe="+=/").encode()


def hash_of_hop(certificate: bytes) -> bytes:
    return (
        b"By=spiffe://mesh.test/ns/api;Hash="
        + sha256(certificate).hexdigest().encode()
        + b';Subject="CN=a, O=b"'
    )


WRITE: dict[str, Callable[[bytes], bytes]] = {
    "rfc9440": byte_sequence,
    "envoy": hash_of_hop,
    "nginx": escaped_pem,
    "haproxy": byte_sequence,
    "caddy": byte_sequence,
    "aws-alb": pem_with_plain_base64,
    "azure": b64encode,
    "traefik": b64encode,
}
