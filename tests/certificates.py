"""Certificates made for a test; what they certify is of no account."""

from __future__ import annotations

import datetime as dt
from base64 import urlsafe_b64encode
from ipaddress import ip_address
from pathlib import Path
from ssl import PEM_cert_to_DER_cert

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
END = BEGIN + dt.timedelta(days=3650)


def _usage(*, certificates: bool) -> x509.KeyUsage:
    """What a key may sign. Python 3.13 refuses an authority that does not say so (RFC 5280, 4.2.1.3)."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def certificate_pem(name: str = "client.test") -> str:
    """A self-signed certificate as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGIN)
        .not_valid_after(END)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()


def certificate_der(name: str = "client.test") -> bytes:
    """A self-signed certificate as DER."""
    return PEM_cert_to_DER_cert(certificate_pem(name))


def x5t_s256(certificate: bytes) -> str:
    """The member `x5t#S256` for a certificate, by somebody else's code."""
    fingerprint = x509.load_der_x509_certificate(certificate).fingerprint(hashes.SHA256())
    return urlsafe_b64encode(fingerprint).decode().rstrip("=")


class Authority:
    """Issues certificates, for servers and for clients, and puts them into a folder as PEM.

    Args:
        folder: where the files go: `NAME.pem` and `NAME.key`, and for HAProxy both in `NAME.both`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority.test")])
        self._write("authority", self._sign(self._name, self._key.public_key(), is_authority=True), self._key)
        self.file = folder / "authority.pem"

    def issue(self, name: str, *, subject: str | None = None) -> bytes:
        """Issue a certificate, for a client or for a server on loopback; return it as DER.

        Args:
            name: what its files are called.
            subject: whose it says it is; the same, where nothing else is said.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        whose = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject or name)])
        certificate = self._sign(whose, key.public_key(), is_authority=False)
        self._write(name, certificate, key)
        return certificate.public_bytes(Encoding.DER)

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        pem = certificate.public_bytes(Encoding.PEM)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for ending, content in ((".pem", pem), (".key", private), (".both", pem + private)):
            (self._folder / (name + ending)).write_bytes(content)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, is_authority: bool
    ) -> x509.Certificate:
        names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        own = x509.SubjectKeyIdentifier.from_public_key(key)
        signing = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(BEGIN)
            .not_valid_after(END)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(_usage(certificates=is_authority), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(own, critical=False)
            .add_extension(signing, critical=False)
            .sign(self._key, hashes.SHA256())
        )
