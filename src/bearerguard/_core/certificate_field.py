"""A client's certificate as a proxy hands it on in a header field, in the way of each proxy.

Only the SHA-256 of the certificate's DER counts (RFC 8705, section 3.1). No name, date or issuer is read:
they are for whoever ends TLS to judge. What cannot be read is an error, never "no certificate". Whether a
field may be believed is not known here.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from bearerguard._jose import base64url
from bearerguard._limits import MAX_CERTIFICATE_BYTES, MAX_CERTIFICATE_FIELD_BYTES


def thumbprint_of(certificate: bytes) -> str:
    """Return `x5t#S256` of a certificate (RFC 8705, section 3.1).

    Args:
        certificate: as DER.

    Examples:
        >>> thumbprint_of(b"")
        '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU'
    """
    return base64url.encode(sha256(certificate).digest()).decode()


class FieldFormat(Struct, frozen=True):
    """How a proxy writes a certificate.

    Attributes:
        header: the field's usual name.
        thumbprint: returns `x5t#S256` of what a value holds; raises ValueError where it cannot be read.
    """

    header: str
    thumbprint: Callable[[bytes], str]


def thumbprint_in(value: bytes, written: FieldFormat) -> str:
    """Return `x5t#S256` of the certificate in a header field.

    Raises:
        ValueError: the value is not one certificate, written so.
    """
    if len(value) > MAX_CERTIFICATE_FIELD_BYTES:
        raise ValueError("too long")
    return written.thumbprint(value)


# -- the formats -----------------------------------------------------------------------------------------


def _of_byte_sequence(value: bytes) -> str:
    """`:<base64 of the DER>:`, without parameters (RFC 9440, section 2.1; RFC 8941, section 3.3.5)."""
    if value[:1] != b":" or value[-1:] != b":":
        raise ValueError("not a byte sequence")
    return _of_base64(value[1:-1])


def _of_base64(value: bytes) -> str:
    """The base64 of the DER, and nothing around it."""
    return thumbprint_of(_checked_der(_from_base64(value)))


def _of_escaped_pem(value: bytes) -> str:
    """One certificate as PEM, percent-encoded; a plus is a plus."""
    blocks = _blocks(_unescaped(value))
    if len(blocks) != 1:
        raise ValueError("more than one certificate")
    return thumbprint_of(_of_block(blocks[0]))


def _of_escaped_chain(value: bytes) -> str:
    """Certificates as PEM, percent-encoded, of which the first is the client's own."""
    return thumbprint_of(_of_block(_blocks(_unescaped(value))[0]))


def _of_bare_chain(value: bytes) -> str:
    """The base64 of each certificate's DER, percent-encoded or not, with commas between; the first counts."""
    return _of_base64(_unescaped(value).partition(b",")[0])


def _of_forwarded_client_cert(value: bytes) -> str:
    """Envoy's list of hops, of which our neighbour wrote the last: `Hash` (hex), `Cert` (PEM), or both."""
    hop = _last_hop(value)
    thumbprints = set()
    if b"hash" in hop:
        if not _HEX_SHA256.fullmatch(hop[b"hash"]):
            raise ValueError("not a hash")
        thumbprints.add(base64url.encode(unhexlify(hop[b"hash"])).decode())
    if b"cert" in hop:
        thumbprints.add(_of_escaped_pem(hop[b"cert"]))
    if len(thumbprints) != 1:
        raise ValueError("no certificate, or two that differ")
    return thumbprints.pop()


FORMATS: dict[str, FieldFormat] = {
    "rfc9440": FieldFormat("Client-Cert", _of_byte_sequence),
    "envoy": FieldFormat("X-Forwarded-Client-Cert", _of_forwarded_client_cert),
    "nginx": FieldFormat("Ssl-Client-Cert", _of_escaped_pem),
    "haproxy": FieldFormat("Client-Cert", _of_byte_sequence),
    "caddy": FieldFormat("Client-Cert", _of_byte_sequence),
    "aws-alb": FieldFormat("X-Amzn-Mtls-Clientcert-Leaf", _of_escaped_chain),
    "azure": FieldFormat("X-ARR-ClientCert", _of_base64),
    "traefik": FieldFormat("X-Forwarded-Tls-Client-Cert", _of_bare_chain),
}
"""By the name of what writes them."""


# -- their parts -----------------------------------------------------------------------------------------

_HEX_SHA256 = re.compile(rb"[0-9A-Fa-f]{64}")
_ESCAPED = re.compile(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")
_BLOCK = re.compile(
    rb"-----BEGIN CERTIFICATE-----\r?\n([0-9A-Za-z+/=\r\n]+)-----END CERTIFICATE-----(?:\r?\n)*"
)
_PAIR = re.compile(rb'[ \t]*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;]*))', re.DOTALL)
_TO_URL = bytes.maketrans(b"+/", b"-_")


def _from_base64(text: bytes) -> bytes:
    """Strict base64 with its padding (RFC 4648, section 4): one text for each byte string."""
    unpadded = text.rstrip(b"=")
    if len(text) % 4 or len(text) - len(unpadded) > 2 or b"-" in text or b"_" in text:
        raise ValueError("not base64")
    return base64url.decode(unpadded.translate(_TO_URL))


def _unescaped(value: bytes) -> bytes:
    """Undo percent-encoding (RFC 3986, section 2.1)."""
    if not _ESCAPED.fullmatch(value):
        raise ValueError("not percent-encoded")
    return unquote_to_bytes(value)


def _blocks(text: bytes) -> list[bytes]:
    """The base64 of each certificate of a PEM text, which has nothing else in it (RFC 7468, section 3)."""
    blocks, position = [], 0
    while position < len(text):
        block = _BLOCK.match(text, position)
        if block is None:
            raise ValueError("not PEM")
        blocks.append(block[1])
        position = block.end()
    if not blocks:
        raise ValueError("no certificate")
    return blocks


def _of_block(block: bytes) -> bytes:
    return _checked_der(_from_base64(block.translate(None, b"\r\n")))


def _checked_der(der: bytes) -> bytes:
    """One SEQUENCE in DER, to the last byte, as a certificate is (RFC 5280, section 4.1).

    Otherwise what is put behind a certificate would change the thumbprint of what others read as the same.
    """
    if not 2 < len(der) <= MAX_CERTIFICATE_BYTES or der[0] != _SEQUENCE:
        raise ValueError("not a certificate")
    length, begin = der[1], 2
    if length > _LONGEST_SHORT_FORM:
        begin += length - 0x80
        length = int.from_bytes(der[2:begin])
        if der[2] == 0 or length <= _LONGEST_SHORT_FORM:
            raise ValueError("not DER: its length could be written shorter")
    if begin + length != len(der):
        raise ValueError("not one certificate")
    return der


_SEQUENCE = 0x30
_LONGEST_SHORT_FORM = 0x7F


def _last_hop(value: bytes) -> dict[bytes, bytes]:
    """The pairs of the last element of `X-Forwarded-Client-Cert`, keys in lower case.

    A quote that an earlier hop left open must not swallow what our neighbour wrote: every character has its
    place, or nothing is read. A certificate may have several names (`URI`, `DNS`), but what we read of it
    stands there once.
    """
    hop: dict[bytes, bytes] = {}
    position, separator = 0, b";"
    while separator:
        if separator == b",":
            hop = {}
        pair = _PAIR.match(value, position)
        if pair is None or (pair[1].lower() in hop and pair[1].lower() in {b"hash", b"cert"}):
            raise ValueError("not a list of hops")
        hop[pair[1].lower()] = pair[3] if pair[2] is None else pair[2]
        position = pair.end()
        separator = value[position : position + 1]
        if separator not in {b"", b";", b","}:
            raise ValueError("not a list of hops")
        position += 1
    return hop
