"""The answers that README.md, the home page and the first steps show are those that their programs give."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from bearerguard.testing import Issuer

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "docs/index.md", "docs/getting-started.md"]
CALLER = {"docs/getting-started.md": "test-client"}
"""Who calls on a page, where it is not Ada."""


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def program(page: str, issuer: Issuer) -> TestClient:
    """The first program of a page, which trusts this issuer in place of the one that it names."""
    text, replaced = re.subn(
        r"^login = Provider\(.*\)$", "login = trusted", blocks(page, "python")[0], flags=re.MULTILINE
    )
    assert replaced == 1
    names: dict[str, Any] = {"trusted": issuer.provider()}
    exec(compile(text, page, "exec", dont_inherit=True), names)  # noqa: S102 - our own page
    return TestClient(names["app"])


def written(answer: httpx2.Response) -> str:
    """An answer as the pages show it: the status, the challenge, the body."""
    challenge = answer.headers.get("www-authenticate")
    lines = [f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}"]
    lines += [] if challenge is None else [f"WWW-Authenticate: {challenge}"]
    return squeezed("\n".join([*lines, "", answer.text]))


def squeezed(text: str) -> str:
    """The same without regard to where lines are broken, and whether JSON has spaces."""
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("page", PAGES)
def test_the_program_gives_the_answers_that_the_page_shows(page: str, issuer: Issuer) -> None:
    client = program(page, issuer)
    caller = CALLER.get(page, "ada")

    def asked(scope: str | None) -> httpx2.Response:
        headers = {} if scope is None else {"Authorization": f"Bearer {issuer.token(caller, scope)}"}
        return client.get("/orders", headers=headers)

    shown = blocks(page, "http")
    given = [asked(None), asked("orders:write"), asked("orders:read")]
    assert [squeezed(one) for one in shown] == [written(one) for one in given][: len(shown)]
    assert shown
