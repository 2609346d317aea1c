"""What somebody pastes beside a development issuer: an API that trusts it, and how to ask that. Pure text."""

from __future__ import annotations

import json
import shlex
from typing import NamedTuple

from bearerguard.testing import Issuer

__all__ = ["Paste", "paste_for"]

API = "http://127.0.0.1:8000"
"""Where uvicorn serves, if nothing else is said."""


class Paste(NamedTuple):
    """Attributes are texts of lines.

    Attributes:
        program: the API.
        start: starts it.
        token: has the shell hold a token in `TOKEN`.
        request: asks the API with it.
    """

    program: str
    start: str
    token: str
    request: str


def paste_for(
    issuer: Issuer, scope: str, *, docs: str, token: str | None = None, is_opaque: bool = False
) -> Paste:
    """Return what to paste.

    Args:
        issuer: which is trusted, as it is served.
        scope: what the route asks for.
        docs: the client by which people log in from the API's documentation.
        token: one that is made already; by default a program asks for one.
        is_opaque: whether that token is one about which the API has to ask the issuer.
    """
    audience = issuer.audience if isinstance(issuer.audience, str) else issuer.audience[0]
    asks = f"guard.requires(scope({_text(scope)}))"
    introspection, asks_issuer = "", ""
    if is_opaque:
        introspection = "Introspection, "
        client = f"{_text(issuer.client_id)}, {_text(issuer.client_secret)}"
        asks_issuer = f",\n    introspection=Introspection({client})"
    program = f"""\
from typing import Annotated
from fastapi import FastAPI
from bearerguard import AccessToken, {introspection}Provider, ResourceServer, scope
from bearerguard.fastapi import Guard

login = Provider("{issuer.url}", audience={_text(audience)}{asks_issuer})
guard = Guard(ResourceServer(login))
Reader = Annotated[AccessToken, {asks}]
app = FastAPI()
guard.install(app, docs_client_id="{docs}")

@app.get("/orders")
async def orders(token: Reader):
    return {{"orders of": token.subject}}
"""
    asked = f"""\
TOKEN=$(curl -s {issuer.token_endpoint} \\
  -u {issuer.client_id}:{issuer.client_secret} \\
  -d grant_type=client_credentials -d scope={shlex.quote(scope)} |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
"""
    return Paste(
        program=program,
        start='pip install "bearerguard[fastapi]" uvicorn\nuvicorn main:app\n',
        token=asked if token is None else f"TOKEN={token}\n",
        request=f'curl -i {API}/orders -H "Authorization: Bearer $TOKEN"\n',
    )


def _text(value: str) -> str:
    """As Python and people write it, with double quotes."""
    return json.dumps(value)
