"""One GET: what it sends, and where it stops. Mostly over real sockets of loopback."""

from __future__ import annotations

import datetime as dt
import gzip
import ipaddress
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bearerguard import ConfigurationError
from bearerguard._flows.effects import FetchFailed, HttpAnswer, HttpGet
from bearerguard._io.http import HttpClient
from bearerguard._limits import FETCH_TIMEOUT, MAX_KEY_SET_BYTES
from bearerguard.testing import Issuer

Asked = list[bytes]
# One for all: loading the certificates takes longer than everything else here.
CERTIFICATES = ssl.create_default_context()
TOO_MUCH = b"0" * (MAX_KEY_SET_BYTES + 1)


@contextmanager
def speaker(*replies: bytes, context: ssl.SSLContext | None = None) -> Iterator[tuple[str, Asked]]:
    """A server that says these bytes to one connection after the other, whatever it is asked."""
    asked: Asked = []

    def speak() -> None:
        for reply in replies:
            connection, _ = listener.accept()
            with connection:
                try:
                    wire = (
                        connection if context is None else context.wrap_socket(connection, server_side=True)
                    )
                    asked.append(wire.recv(65_536))
                    wire.sendall(reply)
                    wire.close()
                except OSError:
                    return  # the client went away, as it should

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=speak)
        thread.start()
        scheme = "http" if context is None else "https"
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/jwks", asked
        thread.join()


def reply(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> bytes:
    fields = {"content-length": str(len(body)), "connection": "close", **headers}
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def get(url: str, etag: str | None = None, **options: Any) -> HttpAnswer:
    session = HttpClient({"trust_env": False, "verify": CERTIFICATES, **options}).session()
    try:
        return session.get(HttpGet(url, etag))
    finally:
        session.abort()


def failure(url: str, **options: Any) -> FetchFailed:
    with pytest.raises(FetchFailed) as failed:
        get(url, **options)
    return failed.value


def transport(answer: Callable[[httpx2.Request], httpx2.Response]) -> dict[str, Any]:
    return {"transport": httpx2.MockTransport(answer)}


# -- what is asked and answered


def test_the_parts_of_an_answer_that_matter_are_returned() -> None:
    with speaker(reply(b'{"keys": []}', cache_control="max-age=60", etag='W/"1"')) as (url, _):
        assert get(url) == HttpAnswer(200, b'{"keys": []}', "max-age=60", 'W/"1"')


def test_json_is_asked_for_uncompressed_and_conditionally_where_an_etag_is_known() -> None:
    with speaker(reply(), reply(status="304 Not Modified")) as (url, asked):
        assert get(url).status == 200
        assert get(url, etag='"1"').status == 304
    first, second = (request.lower() for request in asked)
    assert first.startswith(b"get /jwks http/1.1\r\n")
    assert b"\r\naccept: application/json\r\n" in first
    assert b"\r\naccept-encoding: identity\r\n" in first
    assert b"if-none-match" not in first
    assert b'\r\nif-none-match: "1"\r\n' in second


def test_a_redirect_is_an_answer_like_any_other_whatever_the_options_say() -> None:
    with speaker(reply(b"", "302 Found", location="http://127.0.0.1:9/")) as (url, _):
        assert get(url, follow_redirects=True).status == 302


def test_options_go_to_the_client() -> None:
    with speaker(reply()) as (url, asked):
        get(url, headers={"X-Api-Key": "k1"}, params={"v": "1"})
    assert b"GET /jwks?v=1 " in asked[0]
    assert b"x-api-key: k1" in asked[0].lower()


def test_a_proxy_is_asked_in_place_of_the_provider() -> None:
    with speaker(reply(b'{"by": "proxy"}')) as (proxy, asked):
        assert get("http://issuer.localhost/jwks", proxy=proxy).body == b'{"by": "proxy"}'
    assert asked[0].startswith(b"GET http://issuer.localhost/jwks ")


def test_a_certificate_authority_of_ones_own_is_trusted_where_it_is_given(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer.test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - dt.timedelta(1), now + dt.timedelta(1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    both = tmp_path / "server.pem"
    both.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    with speaker(reply(b"trusted"), context=context) as (url, _):
        assert get(url, verify=ssl.create_default_context(cadata=pem.decode())).body == b"trusted"
    with speaker(reply(b"unknown"), context=context) as (url, _):
        assert failure(url).kind == "connection"


# -- where it stops


def test_nobody_there_is_a_failed_connection() -> None:
    with speaker() as (url, _):
        pass
    assert failure(url).kind == "connection"


@pytest.mark.parametrize(
    "said",
    [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}", b"HTTP/1.1 200"],
    ids=["nothing", "another protocol", "half a body", "half a head"],
)
def test_an_answer_that_is_cut_or_no_http_is_a_failed_connection(said: bytes) -> None:
    with speaker(said) as (url, _):
        assert failure(url).kind == "connection"


def test_an_address_that_the_client_cannot_use_is_a_failed_connection() -> None:
    assert failure("https://xn--\u0378.test/").kind == "connection"


def test_a_silent_provider_is_a_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert failure(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.05).kind == "timeout"


def test_a_body_that_trickles_is_cut_at_the_deadline_of_the_whole() -> None:
    class Trickle(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            released = threading.Event()
            while True:
                released.wait(0.01)
                yield b" "

    options = transport(lambda _: httpx2.Response(200, stream=Trickle()))
    assert failure("https://issuer.test/", timeout=0.05, **options).kind == "timeout"


def test_a_body_of_the_greatest_size_is_read_and_one_byte_more_is_not() -> None:
    with speaker(reply(TOO_MUCH[1:]), reply(TOO_MUCH)) as (url, _):
        assert get(url).body == TOO_MUCH[1:]
        assert failure(url).kind == "too_large"


def test_a_body_without_a_stated_length_is_counted_too() -> None:
    head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
    with speaker(head + TOO_MUCH) as (url, _):
        assert failure(url).kind == "too_large"


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate"])
def test_a_body_that_was_compressed_unasked_is_read(coding: str) -> None:
    compress = zlib.compress if coding == "deflate" else gzip.compress
    with speaker(reply(compress(b'{"keys": []}'), content_encoding=coding)) as (url, _):
        assert get(url).body == b'{"keys": []}'


@pytest.mark.parametrize("coding", ["", "identity"])
def test_no_coding_at_all_may_be_said_too(coding: str) -> None:
    with speaker(reply(b"{}", content_encoding=coding)) as (url, _):
        assert get(url).body == b"{}"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_may_not_decompress_to_more_than_the_greatest_size(coding: str) -> None:
    compress = zlib.compress if coding == "deflate" else gzip.compress
    with speaker(reply(compress(TOO_MUCH), content_encoding=coding)) as (url, _):
        assert failure(url).kind == "too_large"


@pytest.mark.parametrize(
    ("coding", "body"), [("gzip", b"{}"), ("deflate", b"\xff\xff"), ("br", b"{}"), ("gzip, gzip", b"{}")]
)
def test_a_body_in_another_coding_or_none_at_all_is_not_guessed_at(coding: str, body: bytes) -> None:
    with speaker(reply(body, content_encoding=coding)) as (url, _):
        assert failure(url).kind == "encoding"


def test_aborting_ends_a_request_that_another_thread_waits_for() -> None:
    session = HttpClient({"trust_env": False, "verify": CERTIFICATES}).session()
    session.abort()
    with speaker() as (url, _), pytest.raises(FetchFailed) as failed:
        session.get(HttpGet(url))
    assert failed.value.kind == "connection"


# -- a transport of the user's own


def test_a_transport_of_ones_own_may_answer_from_memory() -> None:
    options = transport(lambda request: httpx2.Response(200, json={"path": request.url.path}))
    assert get("https://issuer.test/jwks", **options).body == b'{"path":"/jwks"}'


def test_an_answer_from_memory_has_a_greatest_size_too() -> None:
    options = transport(lambda _: httpx2.Response(200, content=TOO_MUCH))
    assert failure("https://issuer.test/", **options).kind == "too_large"


class Borrowed(httpx2.BaseTransport):
    closed = False

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=b"borrowed")

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("how", ["transport", "mounts"])
def test_a_transport_of_ones_own_is_borrowed_and_never_closed(how: str) -> None:
    borrowed = Borrowed()
    options: dict[str, Any] = (
        {"transport": borrowed} if how == "transport" else {"mounts": {"https://": borrowed}}
    )
    client = HttpClient(options)
    for _ in range(2):
        session = client.session()
        assert session.get(HttpGet("https://issuer.test/")).body == b"borrowed"
        session.abort()
    assert not borrowed.closed


# -- time-outs and options


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        (2, 2),
        (0.5, 0.5),
        (httpx2.Timeout(3), 3),
        (httpx2.Timeout(1, read=4), 4),
        ((1.0, 2.0, None, 0.5), 2),
        (httpx2.Timeout(None), FETCH_TIMEOUT),
        (None, FETCH_TIMEOUT),
        (float("inf"), FETCH_TIMEOUT),
        (0, FETCH_TIMEOUT),
    ],
    ids=str,
)
def test_a_refresh_may_take_as_long_as_its_longest_part_in_all(timeout: Any, seconds: float) -> None:
    assert HttpClient({"timeout": timeout, "verify": CERTIFICATES}).timeout == seconds


def test_the_default_time_out_is_that_of_the_design() -> None:
    assert HttpClient({"verify": CERTIFICATES}).timeout == FETCH_TIMEOUT == 5


def test_the_certificates_are_loaded_once() -> None:
    client = HttpClient({})
    assert "verify" not in client._options  # it is built where that may be on an event loop
    client.session().abort()
    first = client._options["verify"]
    assert isinstance(first, ssl.SSLContext)
    client.session().abort()
    assert client._options["verify"] is first


@pytest.mark.parametrize("options", [{"nonsense": 1}, {"headers": 5}, {"proxy": "nonsense"}], ids=str)
def test_options_that_the_client_does_not_take_are_a_configuration_error(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="http_options"):
        HttpClient(options)


def test_keys_on_loopback_do_not_leave_the_machine_by_a_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Issuer(algorithm="ES256").serve() as issuer:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        issuer.resource_server().warm_up()
        assert issuer.count("/jwks") == 1
