"""The pages of `docs/migrating` are right: both programs run, and the table says what each answers."""

from __future__ import annotations

import functools
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from bearerguard.testing import Issuer, SigningKey, signing_key
from bearerguard.testing.like import LikeIssuer
from tests.seeds.seed_sources import ROOT, interpreter

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
PAGES = ROOT / "docs" / "migrating"
API = "https://api.example"
ENTRA = ("11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000")
ISSUERS: dict[str, Callable[[], Issuer]] = {
    "pyjwt": lambda: Issuer("https://login.example", audience=API),
    "authlib": lambda: Issuer("https://login.example", audience=API),
    "flask-jwt-extended": lambda: Issuer("https://login.example", audience=API),
    "fastapi-azure-auth": lambda: Issuer.like("entra", *ENTRA),
    "auth0-fastapi-api": lambda: Issuer.like("auth0", "shop.eu.auth0.com", API),
}


class Sent(NamedTuple):
    """A request of the table.

    Attributes:
        name: as the table has it.
        headers: what it carries.
        after: what the issuer is asked to do before.
    """

    name: str
    headers: dict[str, str]
    after: str = ""


def id_token_of(issuer: Issuer) -> str:
    """An ID token, which no client should send to an API; its audience is that of the API all the same."""
    if isinstance(issuer, LikeIssuer):
        return issuer.id_token(scope="orders:read", scp="orders:read")
    plain = functools.partial(issuer.token, scope="orders:read", alg="RS256", header={"typ": "JWT"})
    return plain(nonce="n-0S6_WzA2Mj", at_hash="77QmUPtjPfzWtF2AnpK9RQ")


def requests_to(issuer: Issuer, announced: SigningKey) -> list[Sent]:
    """One that is in order, and those that are not, by tokens of an issuer."""
    token = functools.partial(issuer.token, scope="orders:read", alg="RS256", nbf=int(issuer.clock()))

    def bearer(text: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {text}"}

    good = token()
    kid = issuer.jwks()["keys"][0]["kid"]
    return [
        Sent("a valid token", bearer(good)),
        Sent("no token", {}),
        Sent("the scheme in lower case", {"Authorization": f"bearer {good}"}),
        Sent("what is not a JWT", bearer("abc")),
        Sent("a token without the scope", bearer(token(scope="profile"))),
        Sent("an expired token", bearer(token(expires_in=-60))),
        Sent("a token that never expires", bearer(token(exp=None))),
        Sent("a token for another API", bearer(token(aud="https://other.example"))),
        Sent("a token of another issuer", bearer(token(iss="https://login.example/other"))),
        Sent("an ID token, for this audience", bearer(id_token_of(issuer))),
        Sent("a token bound to a DPoP key, as Bearer", bearer(token(cnf={"jkt": "a" * 43}))),
        Sent("a token under a key that is a moment old", bearer(token(key=announced)), after="/rotate"),
        Sent("a forged signature", bearer(token(key=signing_key("RSA"), header={"kid": kid}))),
    ]


@contextmanager
def keys_on_loopback(issuer: Issuer, announced: SigningKey) -> Iterator[str]:
    """Metadata and keys of an issuer, at any path; after `/rotate` with the key that was announced."""
    keys = issuer.jwks()["keys"][:1]  # RSA, as these providers have it: some programs fail at others
    metadata = {
        "issuer": issuer.url,
        "jwks_uri": "https://keys.example/jwks",
        "authorization_endpoint": f"{issuer.url}/authorize",
        "token_endpoint": f"{issuer.url}/token",
    }

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/rotate":
                keys.append({**keys[0], **announced.public_jwk()})
            asked = metadata if "well-known/openid" in self.path else {"keys": keys}
            content = json.dumps(asked).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def unreachable() -> str:
    """An address at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def answers(python: str, program: Path, issuer: str, requests: list[Sent]) -> list[str]:
    asked = {
        "issuer": issuer,
        "program": str(program),
        "requests": [one._asdict() for one in requests],
    }
    done = subprocess.run(
        [python, str(HERE / "answers.py")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return [in_words(one["status"], one["fields"]) for one in json.loads(done.stdout)]


def in_words(status: int, fields: dict[str, str]) -> str:
    """An answer as the table has it: the status, and what its header fields tell a client to do."""
    if "retry-after" in fields:
        return f"{status}, try again later"
    if status not in (401, 403):
        return str(status)
    challenge = fields.get("www-authenticate")
    if challenge is None:
        return f"{status}, no challenge"
    code = re.search(r'error="(\w+)"', challenge)
    return f"{status} {code[1]}" if code else f"{status} {challenge.split()[0].rstrip(',')}"


def rows(page: str) -> list[list[str]]:
    below = page.split("\n## What is answered\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in below.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def measured(name: str, folder: Path) -> list[list[str]]:
    """What both programs of a page answer."""
    page = (PAGES / f"{name}.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    issuer, announced = ISSUERS[name](), signing_key("RSA")
    requests = requests_to(issuer, announced)
    cut_off = [Sent("a valid token, while no keys can be fetched", requests[0].headers)]
    pythons = [interpreter(REQUIREMENTS, "migrating"), sys.executable]
    columns = []
    for number, (python, block) in enumerate(zip(pythons, blocks, strict=True)):
        program = folder / f"program_{number}.py"
        program.write_text(block, "utf-8")
        with keys_on_loopback(issuer, announced) as address:
            column = answers(python, program, address, requests)
        columns.append(column + answers(python, program, unreachable(), cut_off))
    names = [one.name for one in requests + cut_off]
    return [list(row) for row in zip(names, *columns, strict=True)]


@pytest.mark.parametrize("name", ISSUERS)
def test_both_programs_answer_as_the_table_says(name: str, tmp_path: Path) -> None:
    page = (PAGES / f"{name}.md").read_text("utf-8")
    assert rows(page) == measured(name, tmp_path)


@pytest.mark.parametrize("name", ISSUERS)
def test_the_page_says_which_version_it_is_about(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text("utf-8")
    pinned = dict(line.split("==") for line in REQUIREMENTS.read_text("utf-8").splitlines()[1:])
    versions = {package.lower(): version for package, version in pinned.items()}
    told = re.search(r"with ([\w-]+) ([\w.]+)\.\n", page)
    assert told is not None
    assert versions[told[1].lower()] == told[2]


def test_every_page_is_held_to_what_it_says() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == set(ISSUERS)
