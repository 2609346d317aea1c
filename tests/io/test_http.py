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
    assert b"\r\naccept: application/json, application/jwk-set+json;q=0.9, */*;q=0.5\r\n" in first
    assert b"\r\naccept-encoding: identity\r\n" in first
    assert b"if-none-match" not in first
    assert b'\r\nif-none-match: "1"\r\n' in second


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "text/plain"},
        {"ACCEPT": "text/plain", "X-Api-Key": "k1"},
        [("accept", "text/plain")],
        httpx2.Headers({"Accept": "text/plain"}),
    ],
    ids=["as usual", "in capitals", "pairs", "Headers"],
)
def test_the_users_own_accept_wins(headers: Any) -> None:
    with speaker(reply()) as (url, asked):
        get(url, headers=headers)
    assert asked[0].lower().count(b"\r\naccept:") == 1
    assert b"\r\naccept: text/plain\r\n" in asked[0].lower()


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


def test_an_empty_body_may_claim_any_coding() -> None:
    with speaker(reply(b"", "304 Not Modified", content_encoding="br")) as (url, _):
        assert get(url, etag='"1"').status == 304


# -- validators, and what becomes of a conditional request

USABLE = ['"1"', 'W/"1"', '""', '"' + "a" * 1022 + '"', '"!#[]~\'"']
UNUSABLE = [
    "caf\xe9", '"caf\xe9"', '"\u0142"', "*", "", "1", "W/1", '"1', '1"', 'w/"1"', '"a", "b"', '"1", *',
    '"a b"', '"a\tb"', '"a\r\nX: 1"', '"\0"', '"\x7f"', '"' + "a" * 1023 + '"',
]  # fmt: skip


@pytest.mark.parametrize("etag", USABLE, ids=lambda etag: ascii(etag)[:20])
def test_an_entity_tag_is_kept_and_sent_back_as_it_came(etag: str) -> None:
    sent: list[str | None] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers.get("if-none-match"))
        return httpx2.Response(200, headers={"ETag": etag})

    assert get("https://issuer.test/", etag, **transport(answer)).etag == etag
    assert sent == [etag]


@pytest.mark.parametrize("etag", UNUSABLE, ids=lambda etag: ascii(etag)[:20])
def test_what_could_spoil_the_next_request_is_neither_kept_nor_sent(etag: str) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        assert "if-none-match" not in request.headers
        return httpx2.Response(200, headers=[(b"ETag", etag.encode("utf-8"))])

    assert get("https://issuer.test/", etag, **transport(answer)).etag is None


def test_an_entity_tag_beyond_ascii_is_dropped_as_it_comes_over_the_wire() -> None:
    with speaker(reply(etag='"caf\xe9"')) as (url, _):
        assert get(url).etag is None


class Boom(Exception):
    """What no library raises."""


RAISED: list[Exception] = [
    ValueError("v"), KeyError("k"), TypeError("t"), AttributeError("a"), AssertionError("s"),
    LookupError("l"), ArithmeticError("m"), NotImplementedError("n"), EOFError("e"), MemoryError("y"),
    RecursionError("r"), Boom("b"), UnicodeEncodeError("ascii", "h\xe9", 1, 2, "x"), StopIteration("i"),
    BufferError("f"), OSError("o"), RuntimeError("u"), ssl.SSLError("l"), httpx2.InvalidURL("w"),
    httpx2.ReadError("d"), httpx2.CookieConflict("c"), httpx2.UnsupportedProtocol("p"),
    httpx2.StreamClosed(), httpx2.ConnectTimeout("z"),
]  # fmt: skip


@pytest.mark.parametrize("problem", RAISED, ids=lambda problem: type(problem).__name__)
def test_whatever_the_client_raises_is_a_failure_with_a_name_and_a_message(problem: Exception) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        raise problem

    failed = failure("https://issuer.test/", **transport(answer))
    assert failed.kind in {"client", "connection", "timeout"}
    assert str(failed).startswith("https://issuer.test/: ")
    assert type(problem).__name__ in str(failed)


def test_a_header_that_cannot_be_sent_is_a_failure_that_does_not_show_it() -> None:
    with speaker() as (url, _):
        failed = failure(url, headers={"X-Api-Key": "hunter2\n"})
    assert failed.kind == "client"
    assert "header" in str(failed)
    assert "hunter2" not in str(failed)


def only_without_condition(refuse: Callable[[], httpx2.Response]) -> tuple[dict[str, Any], list[bool]]:
    """A provider that answers a conditional request as `refuse` does; whether each one was conditional."""
    asked: list[bool] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append("if-none-match" in request.headers)
        return refuse() if asked[-1] else httpx2.Response(200, content=b"keys", headers={"ETag": '"2"'})

    return transport(answer), asked


def raising(problem: Exception) -> Callable[[], httpx2.Response]:
    def refuse() -> httpx2.Response:
        raise problem

    return refuse


@pytest.mark.parametrize("problem", RAISED, ids=lambda problem: type(problem).__name__)
def test_a_conditional_request_without_an_answer_is_made_again_without_the_condition(
    problem: Exception,
) -> None:
    options, asked = only_without_condition(raising(problem))
    assert get("https://issuer.test/", '"1"', **options) == HttpAnswer(200, b"keys", None, '"2"')
    assert asked == [True, False]


@pytest.mark.parametrize("status", [400, 403, 412, 431])
def test_an_answer_that_finds_fault_with_the_condition_is_asked_for_again_without(status: int) -> None:
    options, asked = only_without_condition(lambda: httpx2.Response(status))
    assert get("https://issuer.test/", '"1"', **options).status == 200
    assert asked == [True, False]


@pytest.mark.parametrize("status", [200, 204, 302, 304, 401, 404, 429, 500, 503])
def test_any_other_answer_is_an_answer(status: int) -> None:
    options, asked = only_without_condition(lambda: httpx2.Response(status))
    assert get("https://issuer.test/", '"1"', **options).status == status
    assert asked == [True]


@pytest.mark.parametrize("status", [204, 302, 404, 406, 416, 500, 502, 503])
def test_an_answer_without_keys_is_followed_by_a_request_without_the_condition(status: int) -> None:
    options, asked = only_without_condition(lambda: httpx2.Response(status))
    client = HttpClient(options)
    request = HttpGet("https://issuer.test/", '"1"')
    assert client.session().get(request).status == status
    assert client.session().get(request).status == 200
    assert client.session().get(request).status == status
    assert asked == [True, False, True]


def test_a_304_that_nobody_asked_for_is_a_failure_even_where_an_entity_tag_is_known() -> None:
    options = transport(lambda _: httpx2.Response(304))
    with pytest.raises(FetchFailed, match="answered HTTP 304") as failed:
        get("https://issuer.test/", "*", **options)
    assert failed.value.kind == "http_status"


def test_a_conditional_request_that_took_all_the_time_is_followed_by_one_without() -> None:
    options, asked = only_without_condition(raising(httpx2.ReadTimeout("hung")))
    client = HttpClient({"timeout": 1e-9, **options})  # over before it has begun
    request = HttpGet("https://issuer.test/", '"1"')
    with pytest.raises(FetchFailed) as failed:
        client.session().get(request)
    assert failed.value.kind == "timeout"
    assert client.session().get(request).status == 200
    with pytest.raises(FetchFailed):
        client.session().get(request)
    assert asked == [True, False, True]


def test_nothing_is_asked_again_once_the_session_was_aborted() -> None:
    def refuse() -> httpx2.Response:
        session.abort()
        raise httpx2.ReadError("cut")

    options, asked = only_without_condition(refuse)
    session = HttpClient(options).session()
    with pytest.raises(FetchFailed):
        session.get(HttpGet("https://issuer.test/", '"1"'))
    assert asked == [True]


def test_aborting_ends_a_request_that_another_thread_waits_for() -> None:
    session = HttpClient({"trust_env": False, "verify": CERTIFICATES}).session()
    session.cut()
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
    loaded: list[Any] = []
    for url in ("https://issuer.test/", "https://127.0.0.1/"):
        # Not where the client is built, which may be on an event loop.
        assert loaded or client._options["verify"] is True
        client.open(url).close()
        loaded.append(client._options["verify"])
    assert isinstance(loaded[0], ssl.SSLContext)
    assert loaded[1] is loaded[0]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"nonsense": 1}, "'nonsense'"),
        ({"hunter2": 1, "timeout": 1}, "'hunter2'"),
        ({"headers": 5}, "'headers'"),
        ({"headers": "hunter2"}, "'headers'"),
        ({"timeout": 2, "headers": {"Authorization": ["hunter2"]}}, "'headers'"),
        ({"proxy": "gopher://hunter2@proxy.example"}, "'proxy'"),
        ({"proxy": "http://user:hunter2:@proxy.example:x"}, "'proxy'"),
        ({"proxy": ["hunter2"]}, "'proxy'"),
        ({"mounts": "hunter2"}, "'mounts'"),
        ({"mounts": ["hunter2"]}, "'mounts'"),
        ({"auth": "hunter2"}, "'auth'"),
        ({"base_url": 5}, "'base_url'"),
    ],
    ids=str,
)
def test_an_option_that_the_client_does_not_take_is_named_and_its_value_not_shown(
    options: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"http_options.*{named}") as refused:
        HttpClient(options)
    assert "hunter2" not in str(refused.value).replace("'hunter2'", "" if "hunter2" in options else "hunter2")


def test_options_that_only_do_not_go_together_say_so() -> None:
    class Once(dict[str, Any]):
        """Mounts that can be read once: an option that by itself would do."""

        def items(self) -> Any:
            if self.pop("read", None):
                raise ValueError("hunter2")
            return super().items()

    with pytest.raises(ConfigurationError, match=r"does not take together \(ValueError\)$"):
        HttpClient({"mounts": Once(read=True)})


@pytest.mark.parametrize("verify", [0, 1, "", b"ca.pem", [], 0.0], ids=repr)
def test_what_is_not_a_way_to_check_a_certificate_is_refused(verify: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"as verify: give an ssl\.SSLContext"):
        HttpClient({"verify": verify})


def test_verify_may_be_none_or_a_path_object(tmp_path: Path) -> None:
    assert HttpClient({"verify": None})._options["verify"] is True
    assert isinstance(HttpClient({"verify": tmp_path})._options["verify"], ssl.SSLContext)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        HttpClient({"verify": tmp_path / "missing.pem"})


def test_a_client_that_defers_loads_its_library_with_the_first_session() -> None:
    client = HttpClient({"timeout": 3}, defers=True)
    assert (client.library, client.timeout) == (None, 3)
    client.session()
    assert client.library is not None
    loaded = client.library
    client.load()
    assert client.library is loaded


def test_a_client_that_defers_looks_at_options_all_the_same() -> None:
    with pytest.raises(ConfigurationError):
        HttpClient({"no_such": 1}, defers=True)


def test_a_client_that_defers_does_not_where_options_have_to_be_looked_at() -> None:
    assert HttpClient({"trust_env": False}, defers=True).library is not None
