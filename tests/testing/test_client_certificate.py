"""A client with a certificate, as tests have it: for test clients, by each proxy's header, over real TLS."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable
from typing import Any

import anyio
import httpx2
import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from werkzeug.serving import make_server

from bearerguard import ClientCertificate, ConfigurationError, DPoP, InvalidToken, bound, wsgi
from bearerguard import Request as Asked
from bearerguard.certificate import CertificateFormat
from bearerguard.flask import Guard as FlaskGuard
from bearerguard.starlette import Guard
from bearerguard.testing import Issuer, certificate_and_key, proxy_header
from tests.certificates import x5t_s256
from tests.proxies_writing import WRITE

ISSUER = Issuer(algorithm="ES256")
API = "https://api.test"
ENOUGH = 60
HEADER = ClientCertificate.from_proxy("rfc9440", peers="127.0.0.1")


def app(source: ClientCertificate) -> Starlette:
    guard = Guard(ISSUER.resource_server(certificate=source, keys=ISSUER.jwks()))

    @guard.requires(bound("mtls"))
    async def orders(request: Request) -> JSONResponse:
        return JSONResponse({"subject": guard.token(request).subject})

    return Starlette(routes=[Route("/", orders)])


@pytest.mark.parametrize("name", WRITE)
def test_a_client_shows_its_certificate_as_the_proxy_of_an_api_would(name: CertificateFormat) -> None:
    source = ClientCertificate.from_proxy(name, peers="10.0.0.5")
    client = TestClient(app(source), client=("10.0.0.5", 50000))
    auth = ISSUER.client("ada", certificate=name)
    assert client.get("/", auth=auth).json() == {"subject": "ada"}
    assert client.get("/", auth=ISSUER.client(certificate=name, token=auth.token)).status_code == 401
    assert client.get("/", auth=ISSUER.client(token=auth.token)).status_code == 401


def test_true_is_what_rfc_9440_says() -> None:
    auth = ISSUER.client(certificate=True)
    assert auth.certificate is not None
    assert auth.headers("GET", API) == {
        "Authorization": f"Bearer {auth.token}",
        "client-cert": WRITE["rfc9440"](auth.certificate.der).decode(),
    }


def test_it_works_for_a_client_of_tasks_too() -> None:
    async def get() -> int:
        transport = httpx2.ASGITransport(app(HEADER))
        async with httpx2.AsyncClient(transport=transport, base_url=API) as client:
            return (await client.get("/", auth=ISSUER.client(certificate=True))).status_code

    assert anyio.run(get) == 200


def test_for_other_test_clients_it_makes_header_fields() -> None:
    flask_app = Flask("api")
    guard = FlaskGuard(ISSUER.resource_server(certificate=HEADER, keys=ISSUER.jwks()))
    flask_app.add_url_rule("/", view_func=guard.requires(bound("mtls"))(lambda: "hello"))
    auth = ISSUER.client(certificate=True)
    assert flask_app.test_client().get("/", headers=auth.headers("GET", API)).status_code == 200
    assert flask_app.test_client().get("/", headers=ISSUER.client().headers("GET", API)).status_code == 401


def test_a_client_may_have_a_key_and_a_certificate() -> None:
    server = ISSUER.resource_server(dpop=DPoP(), certificate=HEADER, keys=ISSUER.jwks())
    auth = ISSUER.client(dpop=True, certificate=True)
    fields = auth.headers("GET", API)
    assert server.authenticate(Asked("GET", API, fields, peer="127.0.0.1")).confirmation == "dpop+mtls"
    fields = auth.headers("GET", API)
    del fields["client-cert"]
    with pytest.raises(InvalidToken, match="none was shown"):
        server.authenticate(Asked("GET", API, fields, peer="127.0.0.1"))


def test_the_certificate_is_shown_over_real_tls() -> None:
    auth = ISSUER.client(certificate=True)
    assert auth.certificate is not None
    guard = wsgi.Guard(ISSUER.resource_server(certificate=ClientCertificate.from_tls(), keys=ISSUER.jwks()))
    trusting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=auth.certificate.pem)
    trusting.verify_mode = ssl.CERT_OPTIONAL
    with_key = certificate_and_key("127.0.0.1")
    _load(trusting, with_key.pem + with_key.key_pem)
    served = make_server("127.0.0.1", 0, guard.protect(hello), ssl_context=trusting)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    try:
        context = auth.certificate.context()
        context.check_hostname, context.verify_mode = (
            False,
            ssl.CERT_NONE,
        )  # whose server it is, is not tested
        with httpx2.Client(verify=context, trust_env=False, timeout=ENOUGH) as client:
            assert client.get(f"https://127.0.0.1:{served.port}/", auth=auth).text == "hello"
    finally:
        served.shutdown()
        thread.join(ENOUGH)
        served.server_close()


def _load(context: ssl.SSLContext, pem: str) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile("w") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name)


def hello(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


@pytest.mark.parametrize("name", WRITE)
def test_the_kit_writes_what_others_write_of_a_proxy(name: CertificateFormat) -> None:
    certificate = certificate_and_key().der
    (value,) = proxy_header(name, certificate).values()
    if name == "envoy":
        assert value.startswith(f'By=spiffe://api.test;Cert="{WRITE["nginx"](certificate).decode()}"')
    else:
        assert value.encode() == WRITE[name](certificate)
    assert list(proxy_header(name, certificate, header="X-Cert")) == ["x-cert"]


def test_an_unknown_proxy_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="write one of 'rfc9440'"):
        proxy_header("apache", b"")  # type: ignore[arg-type]  # that is the test


def test_a_certificate_does_not_print_its_key_and_names_what_tokens_are_bound_to() -> None:
    own = certificate_and_key()
    assert own.key_pem not in repr(own)
    claims = ISSUER.resource_server(keys=ISSUER.jwks(), certificate=HEADER).authenticate(
        Asked("GET", API, {"Authorization": f"Bearer {ISSUER.token(bound_to=own.der)}"}, certificate=own.der)
    )
    assert claims.claims["cnf"] == {"x5t#S256": x5t_s256(own.der)}
