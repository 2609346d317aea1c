"""An issuer over real HTTP on loopback."""

from __future__ import annotations

import functools
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import jwt
import pytest

from bearerguard.testing import Issuer
from bearerguard.testing.exchange import Response
from tests.testing.waiting import until

get = functools.partial(httpx2.get, timeout=60)  # a busy machine may take longer than the usual five seconds


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(algorithm="ES256")


def test_while_it_is_served_its_url_is_the_servers(issuer: Issuer) -> None:
    with issuer.serve() as served:
        assert served is issuer
        assert issuer.url.startswith("http://127.0.0.1:")
        assert get(issuer.jwks_uri).json() == issuer.jwks()
        claims = jwt.decode(issuer.token(), options={"verify_signature": False})
        assert claims["iss"] == issuer.url
    assert issuer.url == "https://issuer.test"


@pytest.mark.parametrize("path", ["", "/", "/tenant"])
def test_the_path_of_its_url_is_kept_and_discovery_finds_it(path: str) -> None:
    with Issuer(f"https://issuer.test{path}", algorithm="ES256").serve() as issuer:
        assert issuer.url.endswith(path)
        metadata = get(f"{issuer.url.rstrip('/')}/.well-known/openid-configuration").json()
        assert metadata["issuer"] == issuer.url
        assert get(metadata["jwks_uri"]).status_code == 200


def test_pyjwt_fetches_its_keys_and_accepts_a_token_from_its_token_endpoint(issuer: Issuer) -> None:
    with issuer.serve():
        secret = (issuer.client_id, issuer.client_secret)
        form = {"grant_type": "client_credentials", "scope": "a"}
        token = httpx2.post(issuer.token_endpoint, data=form, auth=secret).json()["access_token"]
        key = jwt.PyJWKClient(issuer.jwks_uri).get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key, algorithms=["ES256"], audience=issuer.audience, issuer=issuer.url)
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("test-client", "test-client", "a")


def test_a_known_etag_is_answered_with_304_and_no_body(issuer: Issuer) -> None:
    with issuer.serve(), httpx2.Client(timeout=60) as client:
        tag = client.get(issuer.jwks_uri).headers["etag"]
        response = client.get(issuer.jwks_uri, headers={"If-None-Match": tag})
        assert (response.status_code, response.content) == (304, b"")


def test_queries_are_not_part_of_the_path(issuer: Issuer) -> None:
    with issuer.serve():
        assert get(f"{issuer.jwks_uri}?x=1").status_code == 200
    assert issuer.count("/jwks") == 1


def test_during_an_outage_it_hangs_up(issuer: Issuer) -> None:
    with issuer.serve():
        with issuer.outage(), pytest.raises(httpx2.RemoteProtocolError):
            get(issuer.jwks_uri)
        with issuer.outage(500):
            assert get(issuer.jwks_uri).status_code == 500


def test_methods_and_bodies_that_it_does_not_take_are_refused(issuer: Issuer) -> None:
    with issuer.serve():
        assert httpx2.delete(issuer.jwks_uri).status_code == 501
        assert httpx2.post(issuer.token_endpoint, content=b"x" * 70_000).status_code == 413
        with socket.create_connection(("127.0.0.1", int(issuer.url.rpartition(":")[2]))) as connection:
            connection.sendall(b"POST /token HTTP/1.1\r\nContent-Length: ten\r\n\r\n")
            assert connection.recv(1_024).startswith(b"HTTP/1.1 413 ")


def test_many_clients_are_served_at_once(issuer: Issuer) -> None:
    with issuer.serve(), ThreadPoolExecutor(16) as pool:
        slow = issuer.slow(3_600)
        answers = [pool.submit(get, issuer.jwks_uri) for _ in range(16)]
        until(lambda: len(issuer.requests) == 16)
        slow.stop()
        assert {answer.result().status_code for answer in answers} == {200}


def test_closing_leaves_no_thread_and_no_socket_whatever_its_clients_do(
    issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(threading.enumerate())
    with ThreadPoolExecutor(1) as pool, issuer.serve():
        port = int(issuer.url.rpartition(":")[2])
        silent = socket.create_connection(("127.0.0.1", port))
        until(lambda: len(set(threading.enumerate()) - before) == 2)  # its thread, one for the connection
        issuer.slow(3_600)
        waiting = pool.submit(httpx2.get, issuer.jwks_uri, timeout=None)
        until(lambda: issuer.requests)
        impatient = httpx2.Timeout(None, read=0.01)
        with pytest.raises(httpx2.ReadTimeout):
            httpx2.get(issuer.jwks_uri, timeout=impatient)
        issuer_left = issuer.url
        with pytest.raises(RuntimeError, match=f"served already, at {issuer_left}"), issuer.serve():
            pass
    assert isinstance(waiting.exception(), httpx2.TransportError)
    assert silent.recv(1) == b""
    silent.close()
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    assert capsys.readouterr().err == ""


def test_it_can_be_served_again_on_a_port_of_ones_choice(issuer: Issuer) -> None:
    with issuer.serve():
        port = int(issuer.url.rpartition(":")[2])
    with issuer.serve(port):
        assert issuer.url == f"http://127.0.0.1:{port}"
        with pytest.raises(OSError, match="in use"), Issuer().serve(port):
            pass


def test_a_port_that_is_taken_leaves_the_issuer_as_it_was(issuer: Issuer) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
        issuer.serve(taken.getsockname()[1]),
    ):
        pass
    assert issuer.url == "https://issuer.test"
    with issuer.serve():
        assert get(issuer.jwks_uri).status_code == 200


class Defective(Issuer):
    """An issuer with a defect."""

    def answer(self, *arguments: Any, **options: Any) -> Response | None:
        raise ZeroDivisionError


def test_a_defect_of_its_own_is_shown_and_not_taken_for_an_outage(capsys: pytest.CaptureFixture[str]) -> None:
    with Defective().serve() as issuer, pytest.raises(httpx2.RemoteProtocolError):
        get(issuer.jwks_uri)
    assert "ZeroDivisionError" in capsys.readouterr().err
