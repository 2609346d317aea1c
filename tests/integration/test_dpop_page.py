"""The clients that docs/dpop.md shows, as they stand there, against an API and a provider on loopback."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.jwk import ECKey

from bearerguard import DPoP
from bearerguard.asgi import Guard
from bearerguard.testing import Issuer, SigningKey
from tests.doors_under_test.real_server import serving
from tests.integration.programs import HERE, Program
from tests.integration.test_dpop_clients import api, provider

__all__ = ["api", "provider"]

pytestmark = pytest.mark.integration

PAGE = Path(__file__).parents[2] / "docs" / "dpop.md"


def block(language: str, about: str = "") -> str:
    """The one block of a language on the page that is about something."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (text,) = (one for one in blocks if about in one)
    return str(text)


async def orders(scope: Any, receive: Any, send: Any) -> None:
    content = json.dumps({"bound": scope["bearerguard.token"].confirmation}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": content})


@pytest.fixture(scope="module")
def own() -> Iterator[tuple[Issuer, str]]:
    """An issuer, and the address of an API that asks for nonces."""
    issuer, guarded = Issuer(algorithm="ES256"), list[Any]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await guarded[0](scope, receive, send)

    with serving(app) as port:
        address = f"http://127.0.0.1:{port}"
        server = issuer.resource_server(keys=issuer.jwks(), dpop=DPoP(nonce=True), resource=address)
        guarded.append(Guard(server).protect(orders))
        yield issuer, address


def test_the_commands_of_the_page_get_in_once_they_are_told_the_nonce(
    own: tuple[Issuer, str], tmp_path: Path
) -> None:
    issuer, address = own

    def run(token: str, nonce: str = "") -> str:
        known = {**os.environ, "TOKEN": token, "API": address, "NONCE": nonce, "no_proxy": "127.0.0.1"}
        command = ["sh", "-eu", "-c", block("sh")]
        return subprocess.run(
            command, cwd=tmp_path, env=known, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    run("no-token-yet")  # makes the key
    private = load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    assert isinstance(private, Ed25519PrivateKey)
    token = issuer.token(bound_to=SigningKey("curl", private))
    asked = run(token)
    (nonce,) = re.findall(r"(?im)^dpop-nonce: (\S+)", asked)
    assert "use_dpop_nonce" in asked
    assert run(token, nonce).endswith('{"bound": "dpop"}')
    assert " 401 " in run(issuer.token(), nonce).partition("\n")[0]


def test_the_python_of_the_page_gets_in_and_follows_the_nonce(own: tuple[Issuer, str]) -> None:
    issuer, address = own
    names: dict[str, Any] = {}
    exec(block("python", "class DPoPAuth"), names)  # noqa: S102 - the page's own words
    key = ECKey.generate_key("P-256")
    token = issuer.token(cnf={"jkt": key.thumbprint()})
    auth = names["DPoPAuth"](token, key)
    with httpx2.Client(trust_env=False, timeout=60) as http:
        answers = [http.get(f"{address}/orders?page={page}", auth=auth) for page in (1, 2)]
        assert [answer.json() for answer in answers] == [{"bound": "dpop"}] * 2
        assert http.get(f"{address}/orders", auth=names["DPoPAuth"](issuer.token(), key)).status_code == 401


def test_the_javascript_of_the_page_gets_in(node: str, provider: Program, api: Program) -> None:
    (client_id, secret), origin = provider.ready["client"], api.ready["origin"]
    known = {
        "issuer": provider.ready["issuer"],
        "clientId": client_id,
        "clientSecret": secret,
        "resource": origin,
        "address": f"{origin}/orders",
    }
    on_loopback = "clientSecret, undefined, { execute: [client.allowInsecureRequests] })"
    program = "\n".join(
        [
            *(f"const {name} = {json.dumps(value)};" for name, value in known.items()),
            block("js").replace("clientSecret)", on_loopback),
            "console.log(answer.status, await answer.text());",
        ]
    )
    done = subprocess.run(
        [node, "--input-type=module"],
        input=program,
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ('200 {"client":"orders-app","bound":"dpop"}\n', "")
