"""What the log says of a refusal: why, of which request, and of whom as far as that was verified."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from bearerguard import AuthError, InvalidToken, Request, ResourceServer, role, scope
from bearerguard.asgi import Guard
from bearerguard.fastapi import Guard as FastAPIGuard
from bearerguard.flask import Guard as FlaskGuard
from bearerguard.logging import TokenFilter
from bearerguard.observe import FIELDS
from bearerguard.testing import Clock, Issuer

NOW = 1_700_000_000.0


@pytest.fixture
def issuer() -> Issuer:
    return Issuer("https://login.test", audience="https://api.test", clock=Clock(NOW))


@pytest.fixture
def server(issuer: Issuer) -> ResourceServer:
    return issuer.resource_server(keys=issuer.jwks(), name="login")


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], dict[str, Any]]:
    """What the newest record of a refusal says."""
    caplog.set_level(logging.INFO, "bearerguard")

    def newest() -> dict[str, Any]:
        record = next(record for record in reversed(caplog.records) if hasattr(record, "reason"))
        said = {name: vars(record)[name] for name in FIELDS if vars(record)[name] is not None}
        return {**said, "reason": vars(record)["reason"], "said": record.getMessage()}

    return newest


def refused(
    server: ResourceServer, token: str, url: str = "https://api.test/orders/7?key=secret"
) -> AuthError:
    with pytest.raises(AuthError) as refusal:
        server.authenticate(Request("GET", url, {"Authorization": f"Bearer {token}"}))
    return refusal.value


# -- what a record says ----------------------------------------------------------------------------------


def test_after_the_signature_the_log_says_who_it_was_and_what_was_expected(
    issuer: Issuer, server: ResourceServer, told: Callable[[], dict[str, Any]]
) -> None:
    refused(server, issuer.token("ada", client_id="web", aud=["https://other.test"]))
    assert told() == {
        "reason": "audience",
        "method": "GET",
        "route": "/orders/7",
        "provider": "login",
        "sub": "ada",
        "client_id": "web",
        "kid": issuer.signing_key.kid,
        "audience_expected": "('https://api.test',)",
        "audience_found": "['https://other.test']",
        "said": (
            "refused: reason=audience method=GET route=/orders/7 provider=login sub=ada "
            f"client_id=web kid='{issuer.signing_key.kid}' audience_expected=('https://api.test',) "
            "audience_found=['https://other.test']"
        ),
    }


def test_before_it_the_log_says_which_issuers_are_trusted_and_which_one_the_token_claims(
    issuer: Issuer, server: ResourceServer, told: Callable[[], dict[str, Any]]
) -> None:
    refused(server, issuer.from_another_issuer())
    said = told()
    assert said["issuers"] == "('https://login.test',)"
    assert said["unverified_iss"] == "https://another-issuer.test"
    assert " unverified_iss='https://another-issuer.test'" in said["said"]
    assert "sub" not in said


@pytest.mark.parametrize("mint", [Issuer.forged, Issuer.unsigned], ids=["forged", "unsigned"])
def test_a_token_that_nobody_signed_says_nothing_of_itself(
    issuer: Issuer, server: ResourceServer, told: Callable[[], dict[str, Any]], mint: Callable[..., str]
) -> None:
    refused(server, mint(issuer, sub="mallory", client_id="mallory", aud="mallory"))
    assert "mallory" not in str(told())


@pytest.mark.parametrize(
    ("claimed", "shown"),
    [
        ("https://evil.test\r\nERROR root", "https://evil.test\\r\\nERROR root"),
        ("x" * 1000, "x" * 197 + "..."),
        ("\u202egpj.exe", "\\u202egpj.exe"),
    ],
)
def test_what_is_not_verified_is_escaped_and_bounded(
    issuer: Issuer, server: ResourceServer, told: Callable[[], dict[str, Any]], claimed: str, shown: str
) -> None:
    refused(server, issuer.token(iss=claimed))
    assert told()["unverified_iss"] == shown
    assert told()["said"].isprintable()


@pytest.mark.parametrize(
    ("claimed", "word"),
    [
        ("https://evil.test' sub='root", "\"https://evil.test' sub='root\""),
        ('\'x" sub="root', '"\'x\\x22 sub=\\x22root"'),
        ('x" sub="root', "'x\" sub=\"root'"),
    ],
)
def test_what_is_not_verified_cannot_leave_its_quotes_and_pass_for_another_word(
    issuer: Issuer, server: ResourceServer, told: Callable[[], dict[str, Any]], claimed: str, word: str
) -> None:
    refused(server, issuer.token(iss=claimed))
    assert told()["said"].endswith(f" unverified_iss={word}")


@pytest.mark.parametrize(
    ("client", "word"), [('"', "'\"'"), ("'x", '"\'x"'), ("a b", "'a b'"), ("a'b", "a'b")]
)
def test_what_would_begin_a_quoted_word_or_fall_into_two_is_quoted(
    issuer: Issuer, server: ResourceServer, told: Callable[[], dict[str, Any]], client: str, word: str
) -> None:
    refused(server, issuer.token(client_id=client, aud="https://other.test"))
    assert f" client_id={word} kid=" in told()["said"]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://api.test/orders?access_token=secret#secret", "/orders"),
        ("https://ada:secret@api.test/orders", "/orders"),
        ("https://ada:secret@api.test", "/"),
        ("https://api.test#secret/x", "/"),
        ("https://api.test/\u00e4/\ud800", "/\u00e4/\\ud800"),
    ],
)
def test_of_an_address_only_the_path_is_told_as_all_else_may_hold_a_secret(
    server: ResourceServer, told: Callable[[], dict[str, Any]], url: str, path: str
) -> None:
    refused(server, "x.y.z", url=url)
    assert told()["route"] == path
    assert "secret" not in str(told())


def test_a_refusal_by_a_rule_says_what_the_rule_missed(
    issuer: Issuer, server: ResourceServer, told: Callable[[], dict[str, Any]]
) -> None:
    guard = Guard(server)
    token = server.verify(issuer.token("ada", "orders:read"))
    with pytest.raises(AuthError):
        guard.allow(scope("orders:write") & role("admin"), token)
    said = told()
    assert (said["reason"], said["sub"], said["provider"]) == ("denied", "ada", "login")
    assert said["rule"].startswith("no   scope('orders:write') & role('admin'): not all are; ")
    assert "scope('orders:write'): the token has the scopes orders:read" in said["rule"]


def test_a_refusal_without_a_request_says_what_is_known(
    issuer: Issuer, server: ResourceServer, told: Callable[[], dict[str, Any]]
) -> None:
    with pytest.raises(InvalidToken):
        server.verify(issuer.expired(sub="ada"))
    said = told()
    assert "method" not in said
    assert "route" not in said
    assert said["sub"] == "ada"


def test_fastapi_is_told_by_the_route_and_flask_by_the_rule(
    issuer: Issuer, server: ResourceServer, told: Callable[[], dict[str, Any]]
) -> None:
    api = FastAPI()
    guard = FastAPIGuard(server)
    guard.install(api)
    api.get("/orders/{number}", dependencies=[guard.requires(scope("orders:write"))])(lambda number: number)
    TestClient(api).get("/orders/7", headers={"Authorization": f"Bearer {issuer.token()}"})
    assert (told()["reason"], told()["method"], told()["route"]) == ("scope", "GET", "/orders/{number}")
    app = flask.Flask(__name__)

    @app.get("/bills/<int:number>")
    @FlaskGuard(server).requires()
    def bill(number: int) -> str:
        return str(number)

    app.test_client().get("/bills/7")
    assert (told()["reason"], told()["route"]) == ("no_credentials", "/bills/<int:number>")


# -- how loud it is --------------------------------------------------------------------------------------


def test_what_looks_like_a_wrong_set_up_is_a_warning_once_a_minute_with_a_count(
    issuer: Issuer, server: ResourceServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bearerguard")
    for _ in range(3):
        refused(server, issuer.for_another_audience())
    refused(server, issuer.from_another_issuer())
    issuer.clock.advance(60)
    for _ in range(2):
        refused(server, issuer.for_another_audience())
    told = [(r.levelname, vars(r)["reason"], vars(r)["count"]) for r in caplog.records]
    assert told == [
        ("WARNING", "audience", 1),
        ("INFO", "audience", 1),
        ("INFO", "audience", 1),
        ("WARNING", "issuer", 1),
        ("WARNING", "audience", 3),
        ("INFO", "audience", 1),
    ]
    assert "(3 times since it was last told)" in caplog.records[4].getMessage()


def test_a_clock_that_is_behind_is_a_warning(
    issuer: Issuer, server: ResourceServer, caplog: pytest.LogCaptureFixture
) -> None:
    token = issuer.token()
    issuer.clock.advance(-3600)
    refused(server, token)
    assert [(r.levelname, vars(r)["reason"]) for r in caplog.records] == [("WARNING", "not_yet_valid")]


def test_it_is_counted_also_where_nobody_reads_what_is_not_loud(
    issuer: Issuer, server: ResourceServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "bearerguard")
    for _ in range(5):
        refused(server, issuer.for_another_audience())
    issuer.clock.advance(60)
    refused(server, issuer.for_another_audience())
    assert [vars(record)["count"] for record in caplog.records] == [1, 5]


def test_a_clock_that_is_set_back_makes_it_loud_again(
    issuer: Issuer, server: ResourceServer, caplog: pytest.LogCaptureFixture
) -> None:
    refused(server, issuer.for_another_audience())
    issuer.clock.advance(-3600)
    refused(server, issuer.for_another_audience())
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


@pytest.mark.parametrize("mint", [Issuer.expired, Issuer.forged], ids=["expired", "forged"])
def test_what_every_api_meets_is_never_loud(
    issuer: Issuer, server: ResourceServer, caplog: pytest.LogCaptureFixture, mint: Callable[..., str]
) -> None:
    refused(server, mint(issuer))
    assert caplog.records == []


# -- beside a filter -------------------------------------------------------------------------------------


def test_a_filter_leaves_alone_what_a_record_says_of_itself(
    issuer: Issuer, server: ResourceServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bearerguard")
    caplog.handler.addFilter(TokenFilter())
    refused(server, issuer.token("ada", aud="x"))
    refused(server, "x.y.z")
    logging.getLogger("bearerguard").info("something else")
    seen = [(vars(r)["sub"], vars(r)["client_id"], vars(r)["provider"]) for r in caplog.records]
    assert seen == [("ada", "test-client", "login"), ("", "", ""), ("", "", "")]


# -- as the pages say ------------------------------------------------------------------------------------

DOCS = Path(__file__).parents[1] / "docs"
DOORS = (
    "aiohttp",
    "asgi-wsgi",
    "django",
    "drf",
    "fastapi",
    "flask",
    "grpc",
    "litestar",
    "mcp",
    "ninja",
    "starlette",
)


@pytest.mark.parametrize("door", DOORS)
def test_the_page_of_each_door_says_how_to_see_why_a_request_was_refused(door: str) -> None:
    page = (DOCS / f"{door}.md").read_text("utf-8")
    [section] = re.findall(r"^## Why a request was refused\n(.*?)^## ", page, re.DOTALL | re.MULTILINE)
    assert "(logging.md)" in section
    assert 'getLogger("bearerguard").setLevel(logging.INFO)' in section or "LOGGING" in section


def in_a_program(program: str) -> str:
    """What a program of its own, as nobody else has configured its logging, writes to its errors."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stderr


REFUSED = """
from bearerguard import MissingCredentials, Request
from bearerguard.testing import Issuer

issuer = Issuer()
try:
    issuer.resource_server(keys=issuer.jwks()).authenticate(Request("GET", "https://api.test/", {}))
except MissingCredentials:
    pass
"""


@pytest.mark.parametrize("door", ["django", "fastapi"])
def test_what_the_page_says_shows_refusals_in_a_program_without_other_logging(door: str) -> None:
    page = (DOCS / f"{door}.md").read_text("utf-8")
    [section] = re.findall(r"^## Why a request was refused\n(.*?)^## ", page, re.DOTALL | re.MULTILINE)
    [block] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    if door == "django":
        block += "\nimport logging.config\nlogging.config.dictConfig(LOGGING)\n"
    assert "refused: reason=no_credentials" in in_a_program(block + REFUSED)
    assert in_a_program(REFUSED) == ""


def test_litestar_shows_refusals_by_itself() -> None:
    program = """
from litestar import Litestar, get
from litestar.testing import TestClient
from bearerguard.litestar import Guard
from bearerguard.testing import Issuer

issuer = Issuer()
guard = Guard(issuer.resource_server(keys=issuer.jwks()))

@get("/", guards=[guard.requires()])
async def home() -> str:
    return "hello"

with TestClient(Litestar([home], plugins=[guard])) as client:
    assert client.get("/").status_code == 401
"""
    assert "refused: reason=no_credentials" in in_a_program(program)
