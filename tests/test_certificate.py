from __future__ import annotations

import dataclasses
import logging
from ipaddress import ip_network
from typing import Any

import pytest

from bearerguard import ClientCertificate, ConfigurationError, InvalidToken, Request, ResourceServer
from bearerguard._flows.certificate import PEER_FORWARDED, PEER_UNKNOWN
from bearerguard.observe import warn_once
from bearerguard.testing import Issuer
from tests.certificates import certificate_der, certificate_pem, x5t_s256

USUAL = {
    "rfc9440": "client-cert",
    "envoy": "x-forwarded-client-cert",
    "nginx": "ssl-client-cert",
    "haproxy": "client-cert",
    "caddy": "client-cert",
    "aws-alb": "x-amzn-mtls-clientcert-leaf",
    "azure": "x-arr-clientcert",
    "traefik": "x-forwarded-tls-client-cert",
}


@pytest.mark.parametrize("name", USUAL)
def test_each_format_has_its_headers_usual_name_and_takes_another(name: Any) -> None:
    usual = ClientCertificate.from_proxy(name, peers=["10.0.0.0/8", "unix"])
    assert (usual.format, usual.header, usual.peers) == (
        name,
        USUAL[name],
        (ip_network("10.0.0.0/8"), "unix"),
    )
    assert ClientCertificate.from_proxy(name, peers="10.0.0.5", header="X-Cert").header == "x-cert"


def test_it_is_a_frozen_value_that_prints_itself() -> None:
    source = ClientCertificate.from_proxy("nginx", peers=["10.0.0.5", "unix"], header="X-Cert")
    assert source == eval(repr(source))  # noqa: S307 - our own text
    assert source != ClientCertificate.from_tls() == eval(repr(ClientCertificate.from_tls()))  # noqa: S307 - our own text
    assert hash(source) == hash(
        ClientCertificate.from_proxy("nginx", peers=("10.0.0.5", "unix"), header="x-cert")
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        source.peers = ()  # type: ignore[misc]  # that it fails is the test


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"format": "apache"}, "format is 'apache', which is unknown: write one of 'rfc9440', 'envoy'"),
        ({"format": None}, "format is None, which is unknown"),
        ({"peers": []}, "peers is empty"),
        ({"peers": "proxy.internal"}, "peers is 'proxy.internal'"),
        ({"peers": "10.0.0.1/8"}, "has host bits set"),
        ({"peers": [10]}, "is not text"),
        ({"peers": None}, "peers is None"),
        ({"peers": "0.0.0.0/0"}, "which is everybody"),
        ({"peers": ["10.0.0.5", "::/0"]}, "which is everybody"),
        ({"header": ""}, "which is not the name of a header field"),
        ({"header": "X Cert"}, "header is 'X Cert'"),
        ({"header": "X-Cert:"}, "header is 'X-Cert:'"),
        ({"header": "X-Cérts"}, "header is 'X-Cérts'"),
        ({"header": b"X-Cert"}, "header is b'X-Cert'"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_built(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        ClientCertificate.from_proxy(**{"format": "nginx", "peers": "10.0.0.5"} | arguments)
    assert says in str(refused.value)


def test_a_source_of_nothing_is_refused_with_what_to_write() -> None:
    with pytest.raises(
        ConfigurationError, match=r"from_proxy\('nginx', peers=\['10.0.0.0/8'\]\) or .*from_tls\(\)"
    ):
        ClientCertificate()


def test_a_header_that_is_not_believed_is_told_once_and_without_a_word_of_the_request(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    source = ClientCertificate.from_proxy("rfc9440", peers="10.0.0.5")
    server = ResourceServer(issuer.provider(keys=issuer.jwks()), clock=issuer.clock, certificate=source)
    token = issuer.token(cnf={"x5t#S256": x5t_s256(certificate_der())})
    fields = [("Authorization", f"Bearer {token}"), ("Client-Cert", "secret")]
    strangers = [
        Request("GET", "https://api.test/", fields, peer="203.0.113.9"),
        Request("GET", "https://api.test/", [*fields, ("X-Forwarded-For", "10.0.0.5")], peer="10.0.0.5"),
    ]
    warn_once.cache_clear()
    for request in strangers * 3:
        with pytest.raises(InvalidToken, match="none was shown"):
            server.authenticate(request)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [PEER_UNKNOWN, PEER_FORWARDED]
    assert "--no-proxy-headers" in PEER_FORWARDED
    assert not any(said in caplog.text for said in ("secret", "203.0.113.9", "10.0.0.5", token))


def test_a_server_takes_a_source_and_nothing_else(issuer: Issuer) -> None:
    with pytest.raises(ConfigurationError, match=r"certificate is a str: give ClientCertificate.from_proxy"):
        ResourceServer(issuer.provider(), certificate="nginx")  # type: ignore[arg-type]  # that is the test


@pytest.mark.parametrize("given", [certificate_pem(), certificate_pem().encode(), 7])
def test_a_request_takes_a_certificate_as_der_only(given: Any) -> None:
    assert Request("GET", "https://api.test/", certificate=certificate_der()).certificate
    with pytest.raises(ConfigurationError, match="PEM_cert_to_DER_cert"):
        Request("GET", "https://api.test/", certificate=given)
