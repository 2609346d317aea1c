"""`ClientCertificate`: where the certificate of a client comes from, for tokens that are bound to one.

A value, checked when it is built (RFC 8705, section 3). It reads no request. Without one a server believes
nobody who says which certificate a client has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal, Self

from bearerguard._core.certificate_field import FORMATS, FieldFormat
from bearerguard._core.peers import Peers, checked_peers
from bearerguard.errors import ConfigurationError

__all__ = ["CertificateFormat", "ClientCertificate"]

CertificateFormat = Literal["rfc9440", "envoy", "nginx", "haproxy", "caddy", "aws-alb", "azure", "traefik"]
"""How a proxy writes a client's certificate into a header field."""


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class ClientCertificate:
    """Where the certificate of a request's client comes from: `from_proxy` or `from_tls`.

    Only the SHA-256 of the certificate counts (RFC 8705, section 3.1). Whoever ends TLS checks that the
    client has its key and, if you want that, who issued it.

    Attributes:
        format: how the proxy writes it; None where it comes from TLS itself.
        header: the name of the header field, in lower case; None where it comes from TLS itself.
        peers: the networks whose peers are believed, and `"unix"`.

    Examples:
        ```python
        server = ResourceServer(
            Provider("https://login.example", audience="https://api.example"),
            certificate=ClientCertificate.from_proxy("nginx", peers=["10.0.0.0/8"]),
        )
        ```
    """

    format: CertificateFormat | None
    header: str | None
    peers: Peers

    def __init__(self) -> None:
        raise ConfigurationError(
            "ClientCertificate() does not say where certificates come from: write "
            "ClientCertificate.from_proxy('nginx', peers=['10.0.0.0/8']) or ClientCertificate.from_tls()."
        )

    @classmethod
    def from_proxy(
        cls,
        format: CertificateFormat,  # noqa: A002 - the word of whoever writes the call
        *,
        peers: str | Iterable[str],
        header: str | None = None,
    ) -> Self:
        """Take the certificate from a header field of the proxy that ends TLS.

        The field is believed only if the other end of the connection is one of `peers`. The proxy has to
        remove fields of its name that clients send (RFC 9440, section 4).

        Args:
            format: how the proxy writes a certificate, and by that the usual name of the field.
            peers: the addresses of the proxy, one by one or as networks; `"unix"` for a Unix socket.
            header: the name of the field, where it is another one.

        Raises:
            ConfigurationError: the format is unknown, `peers` is empty, or has what is not an address.

        The formats:

        - `rfc9440`, `haproxy`, `caddy`: `Client-Cert`, the base64 of the DER between colons (RFC 9440)
        - `envoy`: `X-Forwarded-Client-Cert`; `Hash` or `Cert` of the last element
        - `nginx`: `Ssl-Client-Cert`, percent-encoded PEM (`$ssl_client_escaped_cert`)
        - `aws-alb`: `X-Amzn-Mtls-Clientcert-Leaf`, percent-encoded PEM; the first certificate of several
        - `azure`: `X-ARR-ClientCert`, the base64 of the DER
        - `traefik`: `X-Forwarded-Tls-Client-Cert`, the base64 of the DER; the first certificate of several

        Examples:
            >>> ClientCertificate.from_proxy("caddy", peers="10.0.0.5")
            ClientCertificate.from_proxy('caddy', peers=['10.0.0.5/32'], header='client-cert')
        """
        if format not in FORMATS:
            formats = ", ".join(map(repr, FORMATS))
            raise ConfigurationError(f"format is {format!r:.40}, which is unknown: write one of {formats}.")
        name = _checked_name(FORMATS[format].header if header is None else header)
        return cls._with(format=format, header=name, peers=checked_peers(peers))

    @classmethod
    def from_tls(cls) -> Self:
        """Take the certificate from the application's own server, which ends TLS.

        From ASGI's extension `tls` (no release of uvicorn, hypercorn, granian or daphne has it), from
        gunicorn's socket, or from `SSL_CLIENT_CERT` (mod_wsgi, Werkzeug's server).

        Examples:
            >>> ClientCertificate.from_tls()
            ClientCertificate.from_tls()
        """
        return cls._with(format=None, header=None, peers=())

    @property
    def field_format(self) -> FieldFormat | None:
        """How the header field is written; None where the certificate comes from TLS itself."""
        return None if self.format is None else FORMATS[self.format]

    @classmethod
    def _with(cls, **values: object) -> Self:
        source = cls.__new__(cls)
        for name, value in values.items():
            object.__setattr__(source, name, value)  # it is frozen from here on
        return source

    def __repr__(self) -> str:
        if self.format is None:
            return "ClientCertificate.from_tls()"
        peers = [*map(str, self.peers)]
        return f"ClientCertificate.from_proxy({self.format!r}, peers={peers!r}, header={self.header!r})"


def _checked_name(header: object) -> str:
    """A field name (RFC 9110, section 5.1)."""
    name = header.lower() if isinstance(header, str) else ""
    if not name or not set(name) <= _NAME_CHARACTERS:
        raise ConfigurationError(f"header is {header!r:.60}, which is not the name of a header field.")
    return name


_NAME_CHARACTERS = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
