"""`bearerguard explain`: what somebody types, what they see, and what a script reads of it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bearerguard import DPoP, Request
from bearerguard.cli import main
from bearerguard.testing import Issuer, certificate_and_key
from tests.cli.terminal import Terminal

AUDIENCE = "https://api.test"
APP = """
from bearerguard import ClientCertificate, DPoP, ResourceServer, scope
from bearerguard.asgi import Guard
from bearerguard.provider import Cookie, Provider

server = ResourceServer(
    Provider({issuer!r}, audience="https://api.test"),
    dpop=DPoP(base_url="https://api.test/v1"),
    certificate=ClientCertificate.from_proxy("rfc9440", peers=["10.0.0.0/8"]),
)
tls = ResourceServer(
    Provider({issuer!r}, audience="https://api.test"), certificate=ClientCertificate.from_tls()
)
guard = Guard(server)
at_v1 = Guard(
    ResourceServer(Provider({issuer!r}, audience="https://api.test"), dpop=DPoP()),
    resource="https://api.test/v1",
)
pages = Guard(
    ResourceServer(Provider({issuer!r}, audience="https://api.test", source=Cookie("token"))),
    resource="https://api.test",
)
other = 7
"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer(audience=AUDIENCE).serve() as served:
        yield served


@pytest.fixture
def program(issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a program, in which the command is started."""
    (tmp_path / "shop.py").write_text(APP.format(issuer=issuer.url))
    (tmp_path / "broken.py").write_text("import no_such_package")
    (tmp_path / "raises.py").write_text("raise KeyError('DATABASE_URL')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("shop", None)


def given(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def whom(issuer: Issuer) -> list[str]:
    return ["explain", "--issuer", issuer.url, "--audience", AUDIENCE]


# -- what a script sees ------------------------------------------------------------------------------


def test_the_exit_status_says_whether_the_token_is_accepted(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, issuer.token() + "\n")
    assert main(whom(issuer)) == 0
    assert capsys.readouterr().out.startswith("accepted\n")
    given(monkeypatch, issuer.expired())
    assert main([*whom(issuer), "-"]) == 1
    assert capsys.readouterr().out.startswith("refused: expired\n")


def test_json_is_what_to_dict_returns(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token = issuer.for_another_audience()
    given(monkeypatch, token)
    assert main([*whom(issuer), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    expected = issuer.resource_server().explain(token).to_dict()
    # The dates among them say how long ago they are, which is a moment later by now.
    assert [(one["name"], one["outcome"]) for one in said.pop("checks")] == [
        (one["name"], one["outcome"]) for one in expected.pop("checks")
    ]
    assert said == expected


def test_a_rule_is_the_last_check(issuer: Issuer, capsys: pytest.CaptureFixture[str]) -> None:
    rule = ["--rule", "scope('orders:read') & role('admin')"]
    assert main([*whom(issuer), *rule, issuer.token("ada", "orders:read")]) == 1
    told = capsys.readouterr().out
    assert told.startswith("refused: denied\n")
    assert "no   role('admin'): the token has no roles" in told
    assert main([*whom(issuer), *rule, issuer.token("ada", "orders:read", roles=["admin"])]) == 0


@pytest.mark.parametrize(
    ("written", "reason"),
    [("Bearer {}", "malformed"), ('"{}"', "malformed"), ("{}\r\n", None), ("{}\n\n", None)],
)
def test_text_around_a_token_is_told_but_for_the_end_of_its_line(
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    written: str,
    reason: str | None,
) -> None:
    given(monkeypatch, written.format(issuer.token()))
    main([*whom(issuer), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["reason"] == reason
    assert (said["cause"] is None) == (reason is None)


def test_an_issuer_that_cannot_be_reached_is_a_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["explain", "--issuer", "http://127.0.0.1:9", "--audience", AUDIENCE]
    assert main([*asked, Issuer("http://127.0.0.1:9", audience=AUDIENCE).token()]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("refused: provider_unavailable\n")
    assert told.err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give --issuer and --audience, or --app"),
        (["--issuer", "https://a.test"], "--audience is missing: give what"),
        (
            ["--issuer", "https://a.test/.well-known/openid-configuration", "--audience", "a"],
            "address of its metadata",
        ),
        (["--issuer", "https://a.test", "--app", "shop:server"], "leave --issuer and --audience out"),
        (["--app", "shop"], "write module:name"),
        (["--app", "shop:nothing"], "shop has no 'nothing'"),
        (["--app", "shop:other"], "which is a int: write the name of the ResourceServer"),
        (["--app", "shop.py:server"], "names a file and not a module: write shop:server"),
        (["--app", "./orders/shop.py:server"], "write orders.shop:server"),
        (["--app", "nowhere:server"], "there is no module 'nowhere' here"),
        (["--app", "broken:server"], "ModuleNotFoundError: No module named 'no_such_package'"),
        (["--app", "raises:server"], "raises cannot be imported: KeyError: 'DATABASE_URL'"),
        (["--app", "shop:server"], "There is no token"),
        (["--app", "shop:server", "--rule", "scope('a') and role('b')", "x"], "combined with &, | and ~"),
        (["--app", "shop:server", "--request", "nowhere.http"], "does not exist"),
        (["--app", "shop:server", "--certificate", "shop.py", "x"], "--certificate goes with --request"),
        (["--app", "shop:server", "--request", "shop.py", "x"], "not both"),
        (["--app", "shop:server", "--request", "shop.py"], "its first line is not that of a request"),
        (["--no-such-option"], "No such option"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_call_is_2_and_says_what_to_write(
    program: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    given(monkeypatch, "")
    assert main(["explain", *arguments]) == 2
    told = capsys.readouterr()
    assert said in " ".join(told.err.split())
    assert told.out == ""


# -- a program's own server, and requests ------------------------------------------------------------


@pytest.mark.parametrize("name", ["shop:server", "shop:guard", "shop:guard.server"])
def test_a_program_s_own_server_is_asked(
    program: Path, issuer: Issuer, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["explain", "--app", name, issuer.token()]) == 0
    assert main(["explain", "--app", name, issuer.expired()]) == 1


def http(first: str, fields: dict[str, str]) -> str:
    return "\r\n".join([first, *(f"{name}: {value}" for name, value in fields.items()), "", "a body"])


def explained(file: Path, *options: str, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    main(["explain", *options, "--request", str(file), "--json"])
    said: dict[str, object] = json.loads(capsys.readouterr().out)
    return said


def test_a_request_with_a_proof_is_explained_at_the_program_s_public_address(
    program: Path, issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    client = issuer.client(dpop=True)
    file = program / "request.http"
    file.write_text(http("GET /orders HTTP/1.1", client.headers("GET", "https://api.test/v1/orders")))
    assert explained(file, "--app", "shop:server", capsys=capsys)["accepted"] is True
    # A second look spends nothing, and finds the proof as good as before.
    assert explained(file, "--app", "shop:server", capsys=capsys)["accepted"] is True
    file.write_text(http("GET /orders HTTP/1.1", client.headers("GET", "https://api.test/orders")))
    assert explained(file, "--app", "shop:server", capsys=capsys)["reason"] == "proof_url"


def test_a_request_is_explained_at_the_address_that_the_guard_has_in_place_of_its_server(
    program: Path, issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    file = program / "request.http"
    fields = issuer.client(dpop=True).headers("GET", "https://api.test/v1/orders")
    file.write_text(http("GET /v1/orders HTTP/1.1", {"Host": "internal:8000", **fields}))
    assert explained(file, "--app", "shop:at_v1", capsys=capsys)["accepted"] is True
    assert explained(file, "--app", "shop:at_v1.server", capsys=capsys)["reason"] == "proof_url"
    fields = {"Host": "internal:8000", "Origin": "https://api.test", "Cookie": f"token={issuer.token()}"}
    file.write_text(http("POST /orders HTTP/1.1", fields))
    assert explained(file, "--app", "shop:pages", capsys=capsys)["accepted"] is True
    assert explained(file, "--app", "shop:pages.server", capsys=capsys)["reason"] == "cross_site"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("GET https://api.test/orders HTTP/1.1\r\n{}\r\n\r\n", None),
        ("GET https://api.test/orders\n{}", None),
        ("GET /orders HTTP/2\r\nHost: api.test\r\n{}\r\n\r\na body\r\n", None),
        ("POST https://api.test/orders HTTP/1.1\n{}\n\n", "proof_method"),
        ("GET /other HTTP/1.1\nHost: api.test\n{}\n\n", "proof_url"),
    ],
)
def test_an_issuer_by_itself_is_enough_for_a_request_with_a_proof(
    tmp_path: Path,
    issuer: Issuer,
    capsys: pytest.CaptureFixture[str],
    written: str,
    reason: str | None,
) -> None:
    file = tmp_path / "request.http"
    proven = issuer.client(dpop=True).headers("GET", "https://api.test/orders")
    end = "\r\n" if "\r" in written else "\n"
    fields = end.join(f"{name}: {value}" for name, value in proven.items())
    file.write_bytes(written.format(fields).encode())
    options = ["--issuer", issuer.url, "--audience", AUDIENCE]
    assert explained(file, *options, capsys=capsys)["reason"] == reason


def test_a_certificate_is_taken_from_the_field_that_the_program_s_proxy_writes(
    program: Path, issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    file = program / "request.http"
    fields = issuer.client(certificate=True).headers("GET", "https://api.test/orders")
    file.write_text(http("GET /orders HTTP/1.1", fields))
    assert explained(file, "--app", "shop:server", capsys=capsys)["accepted"] is True
    del fields["client-cert"]
    file.write_text(http("GET /orders HTTP/1.1", fields))
    assert explained(file, "--app", "shop:server", capsys=capsys)["reason"] == "certificate_missing"


def test_a_certificate_of_the_connection_comes_from_a_file(
    program: Path, issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = certificate_and_key()
    file, pem = program / "request.http", program / "client.pem"
    token = issuer.token(bound_to=shown.der)
    file.write_text(http("GET https://api.test/ HTTP/1.1", {"Authorization": f"Bearer {token}"}))
    pem.write_text(shown.pem)
    with_it = ["--app", "shop:tls", "--certificate", str(pem)]
    assert explained(file, *with_it, capsys=capsys)["accepted"] is True
    assert explained(file, "--app", "shop:tls", capsys=capsys)["reason"] == "certificate_missing"
    assert main(["explain", "--app", "shop:tls", "--certificate", "shop.py", "--request", str(file)]) == 2
    assert "not a certificate in PEM" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its first line"),
        ("GET /orders HTTP/1.1\nno field\n", "line 2 is not a header field"),
        ("GET /orders HTTP/1.1\n\n", "its address is not known"),
        ("GET orders HTTP/1.1\nHost: a\n\n", "write a path, or the whole address"),
    ],
)
def test_a_file_that_is_not_a_request_is_refused(
    tmp_path: Path, issuer: Issuer, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    file = tmp_path / "request.http"
    file.write_text(text)
    assert main([*whom(issuer), "--request", str(file)]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


# -- what somebody sees ------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("colour", [True, False])
def test_the_report_fits_the_terminal(issuer: Issuer, columns: int, colour: bool) -> None:
    terminal = Terminal(*whom(issuer), columns=columns, colour=colour)
    terminal.wait_for("press Enter: ")
    token = issuer.for_another_audience("ada", padding="x" * 6000)
    terminal.type(token + "\r")
    assert terminal.finish() == 1
    lines = terminal.lines()
    assert max(map(len, lines)) <= columns
    begin = lines.index("refused: audience")
    assert lines[begin + 2].startswith(
        "  cause   The token is for 'https://another-api.test', which is another"
    )
    assert f"  yes          size       {len(token)} characters" in lines
    assert "  no           audience   found     'https://another-api.test'" in lines
    assert "                          expected  'https://api.test'" in lines
    assert "  not reached  kind" in lines
    assert ("\x1b[1;31m" in terminal.text) == colour


def test_the_token_is_not_shown(issuer: Issuer) -> None:
    token = issuer.token()
    terminal = Terminal(*whom(issuer))
    terminal.wait_for("press Enter: ")
    terminal.type(f"{token[:30]}x\x7f{token[30:]}\r")  # a slip of the finger, taken back
    assert terminal.finish() == 0
    assert "accepted" in terminal.lines()
    assert token[:20] not in terminal.text
    assert token[-20:] not in terminal.text


def test_what_a_token_says_moves_no_cursor_and_sets_no_colour(issuer: Issuer) -> None:
    evil = issuer.token(aud="\x1b[2J\x1b]0;owned\x07[bold]\u202e\r\nrefused")
    terminal = Terminal(*whom(issuer), evil, colour=False)
    assert terminal.finish() == 1
    for sequence in ("\x1b[2J", "\x1b]0", "\x07", "\u202e", "\r\nrefused\n"):
        assert sequence not in terminal.text
    assert "[bold]" in "".join(terminal.lines())


def test_ctrl_c_at_the_prompt_leaves_the_terminal_as_it_was(issuer: Issuer) -> None:
    terminal = Terminal(*whom(issuer))
    terminal.wait_for("press Enter: ")
    assert not terminal.shows_what_is_typed()
    terminal.type("\x03")
    terminal.wait_for("Stopped.")
    assert terminal.shows_what_is_typed()
    assert terminal.finish() == 130


def test_a_pipe_gets_plain_lines(issuer: Issuer) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "bearerguard", *whom(issuer)],
        input=issuer.for_another_audience(),
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONIOENCODING": "ascii", "FORCE_COLOR": "", "PATH": ""},
    )
    assert told.returncode == 1
    assert told.stderr == ""
    assert "\x1b" not in told.stdout
    cause = next(line for line in told.stdout.splitlines() if line.startswith("advice"))
    assert len(cause) > 120


def test_a_command_of_a_program_is_what_its_server_says(program: Path, issuer: Issuer) -> None:
    """The request of a file, and the one that a program describes, are judged alike."""
    client = issuer.client(dpop=True)
    fields = client.headers("GET", "https://api.test/v1/orders")
    server = issuer.resource_server(dpop=DPoP(base_url="https://api.test/v1"))
    assert server.explain(Request("GET", "https://api.test/v1/orders", fields)).accepted
    file = program / "request.http"
    file.write_text(http("GET /orders HTTP/1.1", fields))
    assert main(["explain", "--app", "shop:server", "--request", str(file)]) == 0
