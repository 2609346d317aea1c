"""`Request` and the views that doors have of theirs: what a check may look at."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from bearerguard import ConfigurationError, MissingCredentials, Request, ResourceServer
from bearerguard.asgi import ASGIRequest
from bearerguard.request import BareHeaders, Incoming
from bearerguard.testing import Issuer
from bearerguard.wsgi import WSGIRequest
from tests.certificates import certificate_pem

ISSUER = Issuer(algorithm="ES256")
SERVER = ISSUER.resource_server()


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer a.b.c"},
        [("AUTHORIZATION", "Bearer a.b.c")],
        [(b"authorization", b"Bearer a.b.c")],
        iter([("Authorization", b"Bearer a.b.c")]),
    ],
    ids=["mapping", "pairs of text", "pairs of bytes", "iterator"],
)
def test_a_request_takes_header_fields_in_every_form_that_programs_have_them_in(headers: Any) -> None:
    request = Request("GET", "https://api.example/orders", headers)
    assert request.values(b"authorization") == [b"Bearer a.b.c"]
    assert request.values(b"authorization") == [b"Bearer a.b.c"]
    assert request.values(b"dpop") == []


def test_a_request_has_an_address_and_no_target() -> None:
    request = Request("POST", "https://api.example/orders?a=b", certificate=b"der", peer="10.0.0.7")
    assert (request.method, request.url, request.target) == ("POST", "https://api.example/orders?a=b", None)
    assert (request.certificate, request.peer) == (b"der", "10.0.0.7")


def test_a_request_never_shows_its_token() -> None:
    shown = repr(Request("GET", "https://api.example/", {"Authorization": "Bearer secret"}))
    assert "secret" not in shown


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_server_authenticates_a_request_and_bare_headers_alike(colour: str) -> None:
    import anyio

    def authenticate(server: ResourceServer, request: Any) -> Any:
        if colour == "sync":
            return server.authenticate(request)
        return anyio.run(server.aauthenticate, request)

    value = f"Bearer {ISSUER.token('ada')}"
    for request in (
        Request("GET", "https://api.example/", {"Authorization": value}),
        [(b"authorization", value.encode())],
        iter([(b"authorization", value.encode())]),
        BareHeaders([(b"authorization", value.encode())]),
    ):
        assert authenticate(SERVER, request).subject == "ada"
    with pytest.raises(MissingCredentials):
        authenticate(SERVER, [])


def scope(**members: Any) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": "/a b", "headers": [], **members}


@pytest.mark.parametrize(
    ("request_", "target"),
    [
        (ASGIRequest(scope(raw_path=b"/a%20b", query_string=b"c=%2F")), b"/a%20b?c=%2F"),
        (ASGIRequest(scope(raw_path=b"/a%20b", query_string=b"")), b"/a%20b"),
        (ASGIRequest(scope()), b"/a%20b"),
        (ASGIRequest(scope(path="/~a/b:c@d,e;f=g")), b"/~a/b:c@d,e;f=g"),
        (WSGIRequest({"RAW_URI": "/v1/a%20b?c=d"}), b"/v1/a%20b?c=d"),
        (WSGIRequest({"REQUEST_URI": "/v1/a%20b"}), b"/v1/a%20b"),
        (WSGIRequest({"SCRIPT_NAME": "/v1", "PATH_INFO": "/a b", "QUERY_STRING": "c=d"}), b"/v1/a%20b?c=d"),
        (WSGIRequest({"PATH_INFO": "/\xc3\xbc"}), b"/%C3%BC"),
        (ASGIRequest(scope(raw_path=b"http://evil.example/a", query_string=b"c=d")), b"/a?c=d"),
        (WSGIRequest({"RAW_URI": "https://evil.example:8443/a?to=b://c"}), b"/a?to=b://c"),
        (WSGIRequest({"RAW_URI": "http://evil.example"}), b"/"),
        (WSGIRequest({"RAW_URI": "http://evil.example?c=d/e"}), b"/?c=d/e"),
        (WSGIRequest({"RAW_URI": "/a?to=http://b"}), b"/a?to=http://b"),
        (WSGIRequest({"RAW_URI": "*"}), b"*"),
        (BareHeaders([]), None),
    ],
    ids=[
        "asgi",
        "asgi without query",
        "asgi without raw path",
        "asgi without raw path, all that stands for itself",
        "gunicorn",
        "uwsgi",
        "wsgi",
        "utf-8",
        "asgi, an address",
        "wsgi, an address",
        "an address without a path",
        "an address with a query only",
        "an address in the query",
        "asterisk",
        "bare",
    ],
)
def test_a_view_has_the_target_as_it_was_sent_and_never_an_origin(
    request_: Incoming, target: bytes | None
) -> None:
    assert request_.target == target
    assert request_.url is None


def test_a_view_of_asgi_reads_method_peer_and_repeated_fields() -> None:
    view = ASGIRequest(
        scope(client=("10.0.0.7", 80), headers=[(b"dpop", b"1"), (b"a", b""), (b"dpop", b"2")])
    )
    assert (view.method, view.peer, view.values(b"dpop")) == ("GET", "10.0.0.7", [b"1", b"2"])
    opening = ASGIRequest({"type": "websocket", "path": "/", "headers": [], "client": None})
    assert (opening.method, opening.peer) == ("GET", None)


def test_a_view_of_wsgi_reads_method_peer_and_fields() -> None:
    environ = {"REQUEST_METHOD": "PUT", "REMOTE_ADDR": "10.0.0.7", "HTTP_DPOP": "1, 2", "HTTP_X_A": "\xe9"}
    view = WSGIRequest(environ)
    assert (view.method, view.peer) == ("PUT", "10.0.0.7")
    assert (view.values(b"dpop"), view.values(b"x-a"), view.values(b"x-b")) == ([b"1, 2"], [b"\xe9"], [])
    assert WSGIRequest({"REMOTE_ADDR": ""}).peer is None


def test_a_certificate_is_read_where_a_server_shows_one(tmp_path: Path) -> None:
    pem = certificate_pem()
    der = ssl.PEM_cert_to_DER_cert(pem)

    class Socket:
        def getpeercert(self, *, binary_form: bool) -> bytes:
            assert binary_form
            return der

    tls = {"extensions": {"tls": {"client_cert_chain": [pem]}}}
    assert ASGIRequest(scope(**tls)).certificate == der
    assert WSGIRequest({"gunicorn.socket": Socket()}).certificate == der
    assert WSGIRequest({"SSL_CLIENT_CERT": pem}).certificate == der
    for without in (
        ASGIRequest(scope()),
        ASGIRequest(scope(extensions=None)),
        ASGIRequest(scope(extensions={"tls": {"client_cert_chain": []}})),
        WSGIRequest({}),
        WSGIRequest({"gunicorn.socket": object(), "SSL_CLIENT_CERT": ""}),
        BareHeaders([]),
    ):
        assert without.certificate is None


def test_der_is_what_a_certificate_is_compared_by() -> None:
    from cryptography import x509

    pem = certificate_pem()
    certificate = x509.load_pem_x509_certificate(pem.encode())
    assert ssl.PEM_cert_to_DER_cert(pem) == certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Bearer a"}, [("authorization", "Bearer a")], ["ab"], [(b"a",)], [7], None, 7],
    ids=str,
)
def test_what_is_not_a_list_of_fields_is_shown_what_to_write(headers: Any) -> None:
    with pytest.raises(ConfigurationError, match="pair of bytes"):
        SERVER.authenticate(headers)
