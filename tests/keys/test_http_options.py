"""`http_options` reach the client that fetches keys, and switch no protection off."""

from __future__ import annotations

import datetime as dt
import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bearerguard import ConfigurationError, ProviderUnavailable
from tests.faults.fault_server import respond
from tests.faults.scripted_provider import JWKS, ScriptedProvider, health, in_time, verify


def test_headers_reach_the_provider(provider: ScriptedProvider) -> None:
    server = provider.server(http_options={"headers": {"User-Agent": "orders-api", "X-Api-Key": "open"}})
    server.warm_up()
    (request,) = provider.faults.requests
    assert request.headers["user-agent"] == "orders-api"
    assert request.headers["x-api-key"] == "open"


def test_a_proxy_is_asked_for_the_address(provider: ScriptedProvider) -> None:
    """A proxy for plain http gets the whole address in the request line (RFC 9112, section 3.2.2)."""
    elsewhere = "http://127.0.0.1:9/jwks"
    provider.faults.script(elsewhere, respond(provider.issuer.jwks()))
    server = provider.server(keys=elsewhere, http_options={"proxy": provider.faults.url()})
    assert verify(server, provider.token()).subject == "user-1"
    assert provider.faults.count(elsewhere) == 1


def test_a_transport_of_the_users_own_outlives_every_refresh(provider: ScriptedProvider) -> None:
    with httpx2.HTTPTransport() as transport:
        server = provider.server(http_options={"transport": transport})
        for _ in range(3):
            in_time(server.warm_up)
            provider.clock.advance(100_000)
        assert provider.fetches == 3


def test_redirects_cannot_be_switched_on(provider: ScriptedProvider) -> None:
    with pytest.raises(ConfigurationError, match="follow_redirects"):
        provider.server(http_options={"follow_redirects": True})


@pytest.mark.parametrize("options", [{"colour": "red"}, {"proxy": "gopher://proxy.test"}], ids=repr)
def test_options_that_the_client_does_not_take_are_a_configuration_error(
    provider: ScriptedProvider, options: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="http_options"):
        provider.server(http_options=options)


# ---------------------------------------------------------------------------------------------- an own CA


def certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "provider.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def served_over_tls(document: dict[str, Any], pem: Path) -> Iterator[str]:
    """`document` at an https address on loopback."""

    class Connection(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
            """Say nothing."""

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that does not trust the certificate hangs up: that is one of the tests."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with Server(("127.0.0.1", 0), Connection) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}{JWKS}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("colour", ["sync", "asyncio"])
def test_keys_come_over_tls_from_a_provider_with_an_own_ca(
    provider: ScriptedProvider, tmp_path: Path, colour: str
) -> None:
    pem = certificate(tmp_path)
    with served_over_tls(provider.issuer.jwks(), pem) as url:
        trusting = ssl.create_default_context(cafile=str(pem))
        server = provider.server(keys=url, http_options={"verify": trusting})
        assert verify(server, provider.token(), colour).subject == "user-1"


def test_a_certificate_that_nobody_vouches_for_is_not_believed(
    provider: ScriptedProvider, tmp_path: Path
) -> None:
    with served_over_tls(provider.issuer.jwks(), certificate(tmp_path)) as url:
        server = provider.server(keys=url, http_options={"trust_env": False})
        with pytest.raises(ProviderUnavailable):
            verify(server, provider.token())
        failure = health(server)["last_failure"]
        assert failure["reason"] == "connection"
        assert "CERTIFICATE_VERIFY_FAILED" in failure["message"]
