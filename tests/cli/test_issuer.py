"""`bearerguard issuer`: what it prints works when it is pasted, and only this machine reaches it."""

from __future__ import annotations

import base64
import hashlib
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from bearerguard import DPoP, Introspection, Provider, Request, ResourceServer
from bearerguard.cli import main
from bearerguard.testing import APIClient, Clock, signing_key
from tests.cli.terminal import Terminal
from tests.examples.running import listening, serving

AUDIENCE = "https://orders.example"
END = 'Bearer $TOKEN"'


def started(*options: str, columns: int = 80, colour: bool = False) -> Terminal:
    terminal = Terminal("issuer", "--port", "0", *options, columns=columns, colour=colour)
    terminal.wait_for(END)
    return terminal


def stop(terminal: Terminal) -> None:
    terminal.type("\x03")
    assert terminal.finish() == 0
    assert "Stopped." in terminal.lines()


def url_of(terminal: Terminal) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+", terminal.text)
    assert found is not None
    return found[0]


def after(terminal: Terminal, heading: str) -> str:
    """The block of lines that follows a heading."""
    lines = terminal.lines()
    begin = next(number for number, line in enumerate(lines) if line.startswith(heading)) + 2
    block = []
    for line in lines[begin:]:
        if line.startswith(("and start it", "In a third", "The token,", "and ask")):
            break
        block.append(line)
    return "\n".join(block).strip() + "\n"


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    running = started()
    yield running
    stop(running)


@pytest.fixture
def server(terminal: Terminal) -> ResourceServer:
    asked = Introspection("test-client", "test-secret")
    provider = Provider(url_of(terminal), audience=AUDIENCE, introspection=asked)
    return ResourceServer(provider, dpop=DPoP())


def test_what_is_printed_works_as_it_is_pasted(terminal: Terminal, tmp_path: Path) -> None:
    assert shutil.which("curl"), "curl is not installed"
    program = after(terminal, "An API that trusts it")
    assert len([line for line in program.splitlines() if line]) == 12
    (tmp_path / "main.py").write_text(program)
    pasted = after(terminal, "In a third one") + after(terminal, "and ask the API")
    with listening() as at:
        command = ["uvicorn", "--app-dir", str(tmp_path), "--fd", str(at.fileno()), "main:app"]
        with serving(command, at, tmp_path / "log") as url:
            script = pasted.replace("http://127.0.0.1:8000", url).replace("python3", sys.executable)
            told = subprocess.run(
                ["sh", "-c", script], capture_output=True, text=True, check=False, timeout=60
            )
    assert told.stdout.startswith("HTTP/1.1 200 OK"), told
    assert told.stdout.endswith('{"orders of":"test-client"}')


def test_the_first_steps_find_it_where_they_look() -> None:
    page = (Path(__file__).parents[2] / "docs" / "getting-started.md").read_text("utf-8")
    assert "\nbearerguard issuer\n" in page
    assert 'Provider("http://127.0.0.1:9000", audience="https://orders.example")' in page
    assert 'docs_client_id="docs"' in page
    told = Terminal("issuer", "--help")
    assert told.finish() == 0
    said = " ".join(told.text.split())
    assert "[default: 9000;" in said
    assert "[default: https://orders.example]" in said


def test_somebody_logs_in_on_its_page_with_pkce(terminal: Terminal, server: ResourceServer) -> None:
    verifier = "v" * 43
    digest = hashlib.sha256(verifier.encode()).digest()
    uri = "http://127.0.0.1:8000/docs/oauth2-redirect"
    asked = {
        "response_type": "code", "client_id": "docs", "redirect_uri": uri, "scope": "orders:read",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }  # fmt: skip
    with httpx2.Client(base_url=url_of(terminal), trust_env=False) as client:
        page = client.get("/authorize", params=asked)
        assert "Ada" in page.text
        back = client.post("/authorize", data={**asked, "persona": "ada"})
        code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": uri, "client_id": "docs",
            "code_verifier": verifier,
        }  # fmt: skip
        token = client.post("/token", data=form).json()["access_token"]
    verified = server.verify(token)
    assert verified.subject == "ada"
    assert verified.scopes == {"orders:read"}
    assert verified.roles == {"admin"}


def test_a_client_that_proves_a_key_gets_a_token_bound_to_it(
    terminal: Terminal, server: ResourceServer
) -> None:
    prover = APIClient("", signing_key("P-256"), Clock())
    endpoint = f"{url_of(terminal)}/token"
    answer = httpx2.post(
        endpoint,
        data={"grant_type": "client_credentials"},
        auth=("test-client", "test-secret"),
        headers={"DPoP": prover.proof("POST", endpoint, ath=None)},
        trust_env=False,
    ).json()
    owner = APIClient(answer["access_token"], prover.key, Clock())
    fields = owner.headers("GET", "https://orders.example/orders")
    assert server.explain(Request("GET", "https://orders.example/orders", fields)).accepted


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("colour", [True, False])
def test_a_token_is_printed_with_the_claims_that_are_asked_for(columns: int, colour: bool) -> None:
    words = ["sub=ada", "scope=orders:read x", "roles=admin,editor", "level=3", "tenant=t-1"]
    terminal = started("--token", *words, columns=columns, colour=colour)
    token = after(terminal, "The token").strip().removeprefix("TOKEN=")
    verified = ResourceServer(Provider(url_of(terminal), audience=AUDIENCE)).verify(token)
    assert verified.subject == "ada"
    assert verified.scopes == {"orders:read", "x"}
    assert verified.roles == {"admin", "editor"}
    assert (verified.claims["level"], verified.claims["tenant"]) == (3, "t-1")
    assert ("\x1b[36m" in terminal.text) == colour
    stop(terminal)
    shown = [line for line in terminal.lines() if not line.startswith("TOKEN=")]
    assert max(map(len, shown)) <= columns


def test_an_opaque_token_is_told_only_to_who_asks_the_issuer(tmp_path: Path) -> None:
    terminal = started(
        "--token", "--opaque", "sub=ben", "--persona", "sub=ben scope='a b'", "--audience", "x"
    )
    token = after(terminal, "The token").strip().removeprefix("TOKEN=")
    assert "." not in token
    assert "  people          ben: scopes a b" in terminal.lines()
    program = tmp_path / "api.py"
    program.write_text(after(terminal, "An API that trusts it"), "utf-8")
    assert runpy.run_path(str(program))["guard"].server.verify(token).subject == "ben"
    stop(terminal)


def test_a_port_that_is_taken_is_said(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    port = str(urlsplit(url_of(terminal)).port)
    assert main(["issuer", "--port", port]) == 2
    assert f"Port {port} is taken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["sub=ada"], "go with --token"),
        (["--opaque"], "go with --token"),
        (["--token", "ada"], "write name=value"),
        (["--token", "sub=a", "sub=b"], "is given twice"),
        (["--persona", "name=Eve"], "write sub=..."),
        (["--persona", "sub=eve admin=yes"], "write sub=..."),
        (["--persona", "sub='eve"], "a quote that does not end"),
        (["--redirect-uri", "https://elsewhere.example/back"], "--redirect-uri: "),
    ],
)
def test_a_mistake_in_the_call_says_what_to_write(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["issuer", "--port", "0", *options]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
