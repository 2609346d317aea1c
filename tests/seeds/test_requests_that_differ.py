"""The two libraries as published and bearerguard, asked the same: they differ where `docs/migrating.md` says.

The old ones run in a virtual environment of their own, with the Starlette and the httpx of their time.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
from starlette.authentication import AuthenticationError, SimpleUser
from starlette.requests import HTTPConnection

from bearerguard import SecurityWarning
from bearerguard.starlette import AuthenticateMiddleware, OAuth2IdTokenBackend
from bearerguard.testing import Clock, Issuer
from tests.seeds.migration_page import table
from tests.seeds.request_table import REQUESTS, Fields
from tests.seeds.seed_sources import interpreter

OLD_DOORS = Path(__file__).with_name("old_doors.py")
NOW = 1_700_000_000
"""When it is for all of them: no answer depends on how long another took."""
Answers = dict[str, dict[str, str]]


def as_bytes(fields: Fields) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]


async def middleware(issuer: Issuer, fields: Fields) -> str:
    """The status that `AuthenticateMiddleware` answers, 200 where it lets the request through."""
    statuses = [200]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        return

    async def send(message: Any) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    app = AuthenticateMiddleware(application, server=issuer.resource_server(), public_paths={"/public"})
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": as_bytes(fields)}
    await app({**scope, "server": ("api.test", 80), "scheme": "http"}, None, send)  # type: ignore[arg-type]
    return str(statuses[-1])


async def backend(issuer: Issuer, fields: Fields) -> str:
    """What Starlette's middleware makes of what the backend says; without issuer and audience, as of old."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        authenticator = OAuth2IdTokenBackend(
            issuer.jwks_uri,
            create_user=lambda token, token_body: SimpleUser(""),
            scopes=lambda token, token_body: [],
            clock=issuer.clock,
            transport=issuer.transport,
        )
    try:
        found = await authenticator.authenticate(
            HTTPConnection({"type": "http", "headers": as_bytes(fields)})
        )
    except AuthenticationError:
        return "400"
    return "anonymous" if found is None else "200"


@pytest.fixture(scope="module")
def answers() -> tuple[Answers, Answers]:
    """What the old libraries answer, and what bearerguard answers in place of each."""
    python = interpreter()
    issuer = Issuer(clock=Clock(NOW))
    requests = {name: make(issuer) for name, make in REQUESTS.items()}
    trusted = {"keys": issuer.jwks(), "issuer": issuer.url, "audience": issuer.audience}
    given = {**trusted, "requests": requests, "now": NOW}
    run = subprocess.run(
        [python, str(OLD_DOORS)], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    new: Answers = {"starlette-oauth2-api": {}, "layabauth": {}}
    for name, fields in requests.items():
        new["starlette-oauth2-api"][name] = asyncio.run(middleware(issuer, fields))
        new["layabauth"][name] = asyncio.run(backend(issuer, fields))
    return json.loads(run.stdout), new


def cell(old: str, new: str) -> str:
    return "as before" if old == new else f"{old} → {new}"


def test_the_answers_differ_exactly_where_the_page_says(answers: tuple[Answers, Answers]) -> None:
    old, new = answers
    found = {
        name: tuple(cell(old[library][name], new[library][name]) for library in new) for name in REQUESTS
    }
    differing = {name: cells for name, cells in found.items() if set(cells) != {"as before"}}
    written = {row[0]: (row[1], row[2]) for row in table("## Requests that are answered differently")}
    assert written == differing


def test_a_sound_token_is_accepted_by_all(answers: tuple[Answers, Answers]) -> None:
    assert {answer["a sound token"] for side in answers for answer in side.values()} == {"200"}


def test_nothing_that_the_old_libraries_refused_for_its_signature_or_its_claims_is_accepted(
    answers: tuple[Answers, Answers],
) -> None:
    """Looser are only the algorithms, the leeway, the way the header is written, null for none, `at_hash`."""
    old, new = answers
    looser = {
        name
        for library in new
        for name in REQUESTS
        if new[library][name] == "200" and old[library][name] != "200"
    }
    assert looser == {
        "`bearer` in lower case",
        "two spaces after `Bearer`",
        "a space after the token",
        "`RS384`",
        "`PS256`",
        "`ES256`, where the key set begins with an RSA key",
        "`EdDSA`",
        "expired five seconds ago",
        "`nbf` in five seconds",
        "`sub: null`",
        "`at_hash`",
    }
