"""Runs where the two libraries are installed as published: what they answer to requests, as JSON.

A program of its own: `keys`, `issuer`, `audience`, `requests` (header fields by name) and `now`, at which the
clock stands still, come by standard input.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import warnings
from datetime import datetime, tzinfo
from typing import Any

import httpx
import jose.jwt  # type: ignore[import-untyped]
from layabauth.starlette import OAuth2IdTokenBackend  # type: ignore[import-not-found]
from starlette.authentication import AuthenticationError, SimpleUser
from starlette.requests import HTTPConnection
from starlette_oauth2_api import AuthenticateMiddleware  # type: ignore[import-not-found]

Fields = list[tuple[bytes, bytes]]


async def middleware(given: dict[str, Any], fields: Fields) -> str:
    """The status that `AuthenticateMiddleware` answers, 200 where it lets the request through."""
    entered = False
    statuses: list[int] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal entered
        entered = True

    async def send(message: dict[str, Any]) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    provider = {name: given[name] for name in ("keys", "issuer", "audience")}
    app = AuthenticateMiddleware(application, providers={"login": provider}, public_paths={"/public"})
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": fields}
    try:
        await app({**scope, "server": ("api.test", 80), "scheme": "http"}, None, send)
    except Exception:  # noqa: BLE001 - whatever escapes is the server's 500
        return "500"
    return "200" if entered else str(statuses[0])


async def backend(given: dict[str, Any], fields: Fields) -> str:
    """What Starlette's own middleware makes of what the backend says."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=given["keys"]))
    authenticator = OAuth2IdTokenBackend(
        "https://issuer.test/jwks",
        create_user=lambda token, token_body: SimpleUser(""),
        scopes=lambda token, token_body: [],
        transport=transport,
    )
    try:
        found = await authenticator.authenticate(HTTPConnection({"type": "http", "headers": fields}))
    except AuthenticationError:
        return "400"
    except Exception:  # noqa: BLE001 - whatever escapes is the server's 500
        return "500"
    return "anonymous" if found is None else "200"


def stand_still(now: float) -> None:
    """Stop the clock that both libraries go by, which is that of python-jose."""

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Stopped:
            return cls.fromtimestamp(now, tz)

    jose.jwt.datetime = Stopped


def main() -> None:
    """Answer every request."""
    given = json.load(sys.stdin)
    stand_still(given["now"])
    answers: dict[str, dict[str, str]] = {"starlette-oauth2-api": {}, "layabauth": {}}
    for name, texts in given["requests"].items():
        fields = [(field.encode("latin-1"), value.encode("latin-1")) for field, value in texts]
        answers["starlette-oauth2-api"][name] = asyncio.run(middleware(given, fields))
        answers["layabauth"][name] = asyncio.run(backend(given, fields))
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    logging.disable()
    warnings.simplefilter("ignore")
    main()
