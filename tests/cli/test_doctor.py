"""`bearerguard doctor` against real providers: on loopback, over TLS, and where nobody answers."""

from __future__ import annotations

import json
import ssl
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from bearerguard.cli import main
from bearerguard.testing import Issuer
from tests.cli.terminal import Terminal
from tests.faults.tls_server import DAY, self_signed
from tests.stores.conftest import own_engine
from tests.stores.engines import Engine

AUDIENCE = "https://api.test"
__all__ = ["own_engine"]  # a fixture


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer(audience=AUDIENCE).serve() as served:
        yield served


def examined(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit status, and all findings."""
    status = main(["doctor", *arguments, "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["status"] == ("ok", "warnings", "errors")[status]
    return status, [finding for section in said["sections"] for finding in section["findings"]]


def levels(findings: list[dict[str, Any]], about: str) -> list[str]:
    return [finding["level"] for finding in findings if finding["about"] == about]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Writes a program, and returns what names its server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def write(source: str) -> str:
        sys.modules.pop("store_api", None)
        (tmp_path / "store_api.py").write_text(
            "from bearerguard import *\nfrom bearerguard import Introspection, DPoP\n" + source
        )
        return "store_api:server"

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield write
    sys.modules.pop("store_api", None)


def test_nothing_is_wrong_with_a_good_provider(issuer: Issuer, capsys: pytest.CaptureFixture[str]) -> None:
    status, findings = examined(capsys, issuer.url)
    assert status == 0
    assert levels(findings, "metadata") == ["ok", "ok"]
    assert levels(findings, "issuer") == levels(findings, "TLS") == levels(findings, "clock") == ["ok"]
    assert set(levels(findings, "key")) == {"ok"}
    assert levels(findings, "keys") == ["ok"]
    assert levels(findings, "introspection") == levels(findings, "DPoP") == ["note"]


def test_an_issuer_with_a_slash_too_many_is_an_error(
    issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    status, findings = examined(capsys, f"{issuer.url}/")
    assert status == 2
    assert any("differ only in a slash at the end" in one["found"] for one in findings)


def test_a_provider_that_cannot_be_reached_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    status, findings = examined(capsys, "http://127.0.0.1:9")
    assert status == 2
    assert levels(findings, "connection") == ["error"]
    assert levels(findings, "keys") == ["error"]


def test_a_clock_that_is_off_is_found_by_the_date_of_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    issuer = Issuer(audience=AUDIENCE)
    documents: dict[str, Any] = {}
    with PlainServer(documents, date="Sun, 06 Nov 1994 08:49:37 GMT") as url:
        documents |= {"/.well-known/openid-configuration": {"issuer": url, "jwks_uri": f"{url}/jwks"}}
        documents["/jwks"] = issuer.jwks()
        status, findings = examined(capsys, url)
    assert status == 1
    assert levels(findings, "clock") == ["warning"]


@pytest.mark.parametrize(
    "jwks_uri", ["http://169.254.169.254/jwks", "file:///etc/passwd", "\x1b[2J", 7, None]
)
def test_keys_are_not_asked_for_where_the_library_does_not_ask(
    capsys: pytest.CaptureFixture[str], jwks_uri: object
) -> None:
    documents: dict[str, Any] = {}
    with PlainServer(documents) as url:
        documents["/.well-known/openid-configuration"] = {"issuer": url, "jwks_uri": jwks_uri}
        status, findings = examined(capsys, url)
    assert status == 2
    assert levels(findings, "key set") == ["error"]
    assert len(levels(findings, "latency")) == 1  # nobody but the issuer's own host was asked
    assert "\x1b" not in json.dumps(findings, ensure_ascii=False)


@pytest.mark.parametrize(("days", "level"), [(5, "warning"), (90, "ok")])
def test_the_end_of_a_certificate_is_told_before_it_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], app: Any, days: int, level: str
) -> None:
    certificate = self_signed(tmp_path, ends=days * DAY)
    documents: dict[str, Any] = {}
    with PlainServer(documents, certificate) as url:
        documents |= {"/.well-known/openid-configuration": {"issuer": url, "jwks_uri": f"{url}/jwks"}}
        documents["/jwks"] = Issuer().jwks()
        name = app(
            f"keys = RemoteKeys(http_options={{'verify': {str(certificate)!r}}})\n"
            f"server = ResourceServer(Provider({url!r}, audience='a', keys=keys), resource='https://a.test')\n"
        )
        status, findings = examined(capsys, "--app", name)
    assert levels(findings, "TLS") == [level]
    assert status == (level == "warning")


def test_a_program_s_own_settings_are_examined(
    issuer: Issuer, capsys: pytest.CaptureFixture[str], app: Any
) -> None:
    name = app(
        "asked = Introspection('test-client', 'test-secret')\n"
        f"login = Provider({issuer.url!r}, audience='a', leeway=200, introspection=asked)\n"
        "server = ResourceServer(login, dpop=DPoP())"
    )
    status, findings = examined(capsys, "--app", name)
    assert status == 1
    assert levels(findings, "leeway") == ["warning"]
    assert levels(findings, "DPoP") == ["ok"]
    assert levels(findings, "introspection") == ["ok", "ok"]
    assert levels(findings, "resource") == ["note"]


def test_credentials_that_the_provider_does_not_know_are_an_error(
    issuer: Issuer, capsys: pytest.CaptureFixture[str], app: Any
) -> None:
    name = app(
        "asked = Introspection('test-client', 'a secret of nobody')\n"
        f"server = ResourceServer(Provider({issuer.url!r}, audience='a', introspection=asked))"
    )
    status = main(["doctor", "--app", name])
    told = capsys.readouterr().out
    assert status == 2
    assert "the provider does not answer a question" in told
    assert "a secret of nobody" not in told


def test_each_provider_is_asked_about_a_token_that_could_be_its_own(
    issuer: Issuer, capsys: pytest.CaptureFixture[str], app: Any
) -> None:
    name = app(
        "good = Introspection('test-client', 'test-secret', token_prefix='lg_')\n"
        "bad = Introspection('test-client', 'a secret of nobody', token_prefix='other_')\n"
        "server = ResourceServer(\n"
        f"    Provider({issuer.url!r}, audience='a', introspection=good),\n"
        f"    Provider({issuer.url!r}, audience='b', name='other', introspection=bad),\n"
        "    resource='https://a.test',\n"
        ")"
    )
    status, findings = examined(capsys, "--app", name)
    assert status == 2
    assert levels(findings, "introspection") == ["ok", "ok", "ok", "error"]


def test_nobody_is_asked_about_a_provider_whose_keys_were_given(
    issuer: Issuer, capsys: pytest.CaptureFixture[str], app: Any
) -> None:
    name = app(
        f"login = Provider('http://127.0.0.1:9', audience='a', keys={issuer.jwks()!r})\n"
        "server = ResourceServer(login, resource='https://a.test')"
    )
    status, findings = examined(capsys, "--app", name)
    assert status == 0
    assert levels(findings, "metadata") == levels(findings, "connection") == []
    assert levels(findings, "key set") == ["note"]


STORED = """
from bearerguard.stores.redis import RedisStore
login = Provider({issuer!r}, audience='a')
server = ResourceServer(
    login, resource='https://a.test', dpop=DPoP(), store=RedisStore({url!r}, secret='s' * 32, timeout=5),
    revocation=Revocation(),
)
"""


def test_a_store_is_asked_what_it_forgets(
    issuer: Issuer, capsys: pytest.CaptureFixture[str], app: Any, own_engine: Engine
) -> None:
    name = app(STORED.format(issuer=issuer.url, url=own_engine.url))
    status, findings = examined(capsys, "--app", name)
    assert (status, levels(findings, "eviction"), levels(findings, "revocation")) == (0, ["ok"], ["ok"])
    own_engine.client().config_set("maxmemory-policy", "allkeys-lru")
    status, findings = examined(capsys, "--app", name)
    assert (status, levels(findings, "eviction")) == (1, ["warning"])


def test_a_store_that_does_not_answer_is_an_error(
    issuer: Issuer, capsys: pytest.CaptureFixture[str], app: Any
) -> None:
    name = app(STORED.format(issuer=issuer.url, url="redis://user:hunter2@127.0.0.1:9/0"))
    assert main(["doctor", "--app", name]) == 2
    told = capsys.readouterr().out
    assert "cannot be asked: ConnectionError: " in told, "and not that it failed a moment ago"
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["https://a.test", "--app", "x:y"],
        ["http://login.example"],
        ["login.example"],
        ["https://a.test/.well-known/openid-configuration"],
        ["--app", "nowhere:server"],
        ["--no-such-option"],
    ],
)
def test_a_mistake_in_the_call_is_64(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *arguments]) == 64
    assert capsys.readouterr().err.startswith(("Usage: ", "Error: "))


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("colour", [True, False])
def test_the_report_fits_the_terminal_and_says_what_it_waits_for(
    issuer: Issuer, columns: int, colour: bool
) -> None:
    terminal = Terminal("doctor", issuer.url, columns=columns, colour=colour)
    assert terminal.finish() == 0
    assert "asking " in terminal.text or "fetching keys" in terminal.text
    lines = terminal.lines()
    assert max(map(len, lines)) <= columns
    assert f"provider '{issuer.url}'" in lines
    assert "Nothing is wrong." in lines
    assert f"  ok    issuer         '{issuer.url}', as configured" in lines
    assert ("\x1b[32m" in terminal.text) == colour


class PlainServer:
    """Serves JSON documents, over TLS where there is a certificate."""

    def __init__(
        self, documents: dict[str, Any], certificate: Path | None = None, *, date: str | None = None
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = documents.get(self.path)
                body = json.dumps(document).encode()
                self.send_response(404 if document is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return date or super().date_time_string(timestamp)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> str:
        self._thread.start()
        return self.url

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
