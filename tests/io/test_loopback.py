"""Plain http to this machine: nobody is on the way, neither a proxy of the environment nor a resolver."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Any

import httpx2
import pytest

from bearerguard._flows.effects import FetchFailed, HttpGet
from bearerguard._io.http import HttpClient
from bearerguard._io.loopback import LoopbackTransport
from bearerguard.testing import Issuer

CERTIFICATES = ssl.create_default_context()
HERE = [
    "127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254", "localhost", "LOCALHOST", "[::1]",
    "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]",
]  # fmt: skip
ELSEWHERE = ["keys.localhost", "[::ffff:127.0.0.1]", "10.0.0.1", "issuer.test", "localhost.issuer.test"]


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment, at which nobody listens."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def way_to(url: str, **options: Any) -> httpx2.BaseTransport:
    """The transport that a request to `url` would take."""
    client = HttpClient({"verify": CERTIFICATES, **options}).open(url)
    client.close()
    return client._transport_for_url(httpx2.URL(url))


@pytest.mark.usefixtures("proxied")
@pytest.mark.parametrize(
    "mounts", [None, {}, {"https://other.example": httpx2.HTTPTransport(verify=CERTIFICATES)}]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", HERE)
def test_no_proxy_of_the_environment_is_on_the_way_to_this_machine(
    scheme: str, host: str, mounts: Any
) -> None:
    assert isinstance(way_to(f"{scheme}://{host}:8080/jwks", mounts=mounts), LoopbackTransport)


@pytest.mark.usefixtures("proxied")
@pytest.mark.parametrize("host", ELSEWHERE)
def test_any_other_host_is_reached_as_the_environment_says(host: str) -> None:
    assert type(way_to(f"http://{host}/jwks")) is httpx2.HTTPTransport


def test_no_certificate_authorities_are_loaded_for_http_to_this_machine() -> None:
    client = HttpClient({"trust_env": False})
    client.open("http://127.0.0.1:9/jwks").close()
    assert client._options["verify"] is True
    client.open("https://127.0.0.1:9/jwks").close()
    assert isinstance(client._options["verify"], ssl.SSLContext)


def test_over_http_to_this_machine_no_certificate_would_be_accepted() -> None:
    client = HttpClient({"trust_env": False, "verify": False}).open("http://127.0.0.1:9/jwks")
    client.close()
    transport: Any = client._transport
    context = transport._pool._ssl_context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.get_ca_certs() == []


def test_http_and_https_to_this_machine_do_not_share_their_authorities() -> None:
    session = HttpClient({"trust_env": False}).session()
    urls = [f"{scheme}://127.0.0.1:9/{path}" for path in ("metadata", "jwks") for scheme in ("http", "https")]
    clients: list[Any] = [session._client_for(url)[0] for url in urls]
    plain, secure = (client._transport._pool._ssl_context for client in clients[:2])
    session.abort()
    assert clients[:2] == clients[2:]
    assert plain is not secure
    assert secure.verify_mode is ssl.CERT_REQUIRED


def test_a_proxy_or_a_transport_that_the_user_names_is_the_users_own() -> None:
    own = httpx2.MockTransport(lambda _: httpx2.Response(200, content=b"own"))
    url = "http://127.0.0.1:9/jwks"
    assert not isinstance(way_to(url, proxy="http://127.0.0.1:9"), LoopbackTransport)
    options: list[dict[str, Any]] = [{"transport": own}, {"mounts": {"http://127.0.0.1": own}}]
    for option in options:
        assert HttpClient(option).session().get(HttpGet(url)).body == b"own"


@pytest.mark.usefixtures("proxied")
def test_keys_on_loopback_do_not_leave_the_machine_by_a_proxy_of_the_environment() -> None:
    with Issuer(algorithm="ES256").serve() as issuer:
        issuer.resource_server().warm_up()
        assert issuer.count("/jwks") == 1


def answering(listener: socket.socket) -> threading.Thread:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nkeys")

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


ADDRESSES = ["127.0.0.1", *(["::1"] if socket.has_ipv6 else [])]


@pytest.mark.usefixtures("proxied")
@pytest.mark.parametrize("address", ADDRESSES)
def test_localhost_is_found_without_asking_a_resolver(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[Any] = []
    resolve = socket.getaddrinfo

    def noted(host: Any, *arguments: Any, **options: Any) -> Any:
        looked_up.append(host)
        return resolve(host, *arguments, **options)

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {address}")
    with listener:
        thread = answering(listener)
        monkeypatch.setattr(socket, "getaddrinfo", noted)
        url = f"http://LocalHost:{listener.getsockname()[1]}/jwks"
        session = HttpClient({"verify": CERTIFICATES}).session()
        assert session.get(HttpGet(url)).body == b"keys"
        session.abort()
        thread.join()
    assert {host.decode() if isinstance(host, bytes) else host for host in looked_up} <= {"127.0.0.1", "::1"}


def test_a_connection_to_another_host_is_refused() -> None:
    transport = LoopbackTransport(CERTIFICATES, http1=True, http2=False)
    for host in ("keys.localhost", "issuer.test", "10.0.0.1", "[::ffff:127.0.0.1]"):
        with pytest.raises(httpx2.ConnectError, match="not an address of this machine"):
            transport.handle_request(httpx2.Request("GET", f"http://{host}/"))
    transport.close()


def test_a_port_at_which_nobody_listens_is_a_failure_like_any_other() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for host in ("127.0.0.1", "localhost"):
        session = HttpClient({"verify": CERTIFICATES}).session()
        with pytest.raises(FetchFailed) as failed:
            session.get(HttpGet(f"http://{host}:{port}/"))
        assert failed.value.kind == "connection"
        session.abort()
