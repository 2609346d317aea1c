"""Tokens bound to a key (RFC 9449), between a certified provider and clients, none of which was written here.

The provider asks for nonces and so does the API; each client is used as its documentation says.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.programs import HERE, Program

pytestmark = pytest.mark.integration

LIBRARIES = ["oauth4webapi-3.8.7", "oauth4webapi-3.8.8", "openid-client", "dpop"]


@pytest.fixture(scope="module")
def provider(node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    log = tmp_path_factory.mktemp("dpop") / "provider"
    program = Program(node, str(HERE / "dpop_provider.mjs"), log=log)
    yield program
    program.stop()


@pytest.fixture(scope="module")
def api(provider: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    log: Path = tmp_path_factory.mktemp("dpop") / "api"
    command = [sys.executable, "-W", "error", str(HERE / "dpop_api.py")]
    program = Program(*command, provider.ready["issuer"], *provider.ready["api"], log=log)
    yield program
    program.stop()
    assert log.read_text() == ""


def run(node: str, library: str, provider: Program, api: Program, opaque: str = "") -> dict[str, Any]:
    """What a client got: its token, and the answers to its four requests."""
    origin = api.ready["origin"]
    resource = f"{origin}/?opaque" if opaque else origin
    command = [node, str(HERE / "dpop_client.mjs"), library, provider.ready["issuer"]]
    done = subprocess.run(
        [*command, *provider.ready["client"], resource, f"{origin}/orders"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", ["JWT", "opaque"])
def test_each_client_gets_in_and_is_told_the_nonce_by_its_first_request(
    library: str, kind: str, node: str, provider: Program, api: Program
) -> None:
    api.tell("")
    said = run(node, library, provider, api, "opaque" if kind == "opaque" else "")
    assert ("." in said["token"]) == (kind == "JWT")
    answers = [(answer["status"], json.loads(answer["body"])) for answer in said["answers"]]
    assert answers == [(200, {"client": "orders-app", "bound": "dpop"})] * 4
    # The first was refused, with a nonce, and repeated once; with that nonce all others got in at once.
    assert api.tell("") == [
        ["GET", "/orders", 401],
        ["GET", "/orders", 200],
        ["POST", "/orders", 200],
        ["POST", "/orders", 200],
        ["GET", "/orders", 200],
    ]


def test_the_token_of_such_a_client_is_worth_nothing_to_a_thief(
    node: str, provider: Program, api: Program
) -> None:
    from bearerguard.testing import Issuer

    token = run(node, "dpop", provider, api)["token"]
    address = f"{api.ready['origin']}/orders"
    thief = Issuer().client(dpop=True, token=token)
    with httpx2.Client(trust_env=False, timeout=60) as http:
        answers = [
            http.get(address, headers={"Authorization": f"Bearer {token}"}),
            http.get(address, headers={"Authorization": f"DPoP {token}"}),
            http.get(address, auth=thief),
        ]
    assert [answer.status_code for answer in answers] == [401] * 3
    challenges = [answer.headers["WWW-Authenticate"] for answer in answers]
    assert [challenge.partition(" ")[0] for challenge in challenges] == ["DPoP"] * 3
    assert "error" not in challenges[0]
    assert 'error="invalid_dpop_proof"' in challenges[1]
    assert 'error="invalid_token"' in challenges[2]
