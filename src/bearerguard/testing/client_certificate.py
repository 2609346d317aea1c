"""A client's certificate in tests: shown over TLS, or in a header field, as the proxy of an API writes it.

It is made here and signed by itself, which is all that a token can be bound to. Nobody's trust in it is
checked here, and no header is read.
"""

from __future__ import annotations

import datetime as dt
import ssl
import tempfile
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bearerguard.certificate import CertificateFormat, ClientCertificate

__all__ = ["CertificateAndKey", "certificate_and_key", "proxy_header"]


@dataclass(frozen=True)
class CertificateAndKey:
    """A certificate, and the key that its client proves in TLS.

    Attributes:
        der: the certificate, for `issuer.token(bound_to=...)` and `Request(certificate=...)`.
        key_pem: the private key, as PEM.
    """

    der: bytes
    key_pem: str = field(repr=False)

    @property
    def pem(self) -> str:
        """The certificate as PEM."""
        return ssl.DER_cert_to_PEM_cert(self.der)

    def context(self, cafile: str | None = None) -> ssl.SSLContext:
        """A TLS context that shows it, for `httpx2.Client(verify=...)`.

        Args:
            cafile: who certifies the server, as PEM; the system's authorities by default.
        """
        context = ssl.create_default_context(cafile=cafile)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "both.pem")
            file.touch(0o600)
            file.write_text(self.pem + self.key_pem)
            context.load_cert_chain(file)
        return context


def certificate_and_key(name: str = "client.test") -> CertificateAndKey:
    """A new certificate, signed by itself, valid for two days around the present.

    Args:
        name: whose it says it is.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return CertificateAndKey(certificate.public_bytes(Encoding.DER), private.decode())


def proxy_header(
    format: CertificateFormat,  # noqa: A002 - as `ClientCertificate.from_proxy` calls it
    certificate: bytes,
    *,
    header: str | None = None,
) -> dict[str, str]:
    """The header field in which a proxy hands on the certificate that it was shown.

    Args:
        format: as for `ClientCertificate.from_proxy`.
        certificate: the certificate, as DER.
        header: another name for the field than the usual one.

    Raises:
        ConfigurationError: the format is unknown.

    Examples:
        >>> proxy_header("azure", b"0...")
        {'x-arr-clientcert': 'MC4uLg=='}
    """
    source = ClientCertificate.from_proxy(format, peers="unix", header=header)
    text = b64encode(certificate).decode()
    pem = ssl.DER_cert_to_PEM_cert(certificate)
    match format:
        case "rfc9440" | "haproxy" | "caddy":
            value = f":{text}:"
        case "nginx":
            value = quote(pem, safe="")
        case "aws-alb":
            value = quote(pem, safe="+=/")
        case "envoy":
            value = f'By=spiffe://api.test;Cert="{quote(pem, safe="")}";Subject="CN=client.test"'
        case _:  # azure, traefik
            value = text
    return {str(source.header): value}
