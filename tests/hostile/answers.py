"""A server that asks about tokens, and gets the answers of a hostile or broken endpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from bearerguard import Introspection, ResourceServer
from tests.hostile import minting
from tests.hostile.minting import ABSENT, AUDIENCE, CANARY, ISSUER, NOW

URL = "https://issuer.test/introspect"
TOKEN = "opaque-token-of-the-issuer"
SAID: Mapping[str, Any] = {
    "active": True,
    "iss": ISSUER,
    "aud": AUDIENCE,
    "token_type": "Bearer",
    "exp": NOW + 3600,
    "nbf": NOW - 60,
    "iat": NOW - 60,
    "sub": CANARY,
    "client_id": "client-1",
    "scope": "orders:read",
}


def body(**changes: Any) -> bytes:
    """An answer about an active token, but for the changes."""
    members = {**SAID, **changes}
    return json.dumps({name: value for name, value in members.items() if value is not ABSENT}).encode()


@dataclass(frozen=True)
class Reply:
    """An answer as it comes over the wire."""

    content: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()

    def __call__(self, _: httpx2.Request) -> httpx2.Response:
        """The same, whatever is asked."""
        stream = httpx2.ByteStream(self.content)
        return httpx2.Response(self.status, headers=list(self.headers), stream=stream)


def reply(content: bytes, status: int = 200, **headers: str) -> Reply:
    """An answer in JSON; a header's name is written with underscores, and left out with an empty value."""
    fields = {"content_type": "application/json", **headers}
    return Reply(
        content, status, tuple((name.replace("_", "-"), value) for name, value in fields.items() if value)
    )


def server(answer: Callable[[httpx2.Request], httpx2.Response], **options: Any) -> ResourceServer:
    """A server whose endpoint answers so; options are those of `Introspection` and of `Provider`."""
    of_introspection = {
        name: options.pop(name)
        for name in ("audience_checked_by_issuer", "jwts", "signed", "revocation_budget", "token_prefix")
        if name in options
    }
    introspection = Introspection(
        "orders-api",
        "the secret of this API",
        url=URL,
        http_options={"transport": httpx2.MockTransport(answer)},
        **of_introspection,
    )
    return minting.server(introspection=introspection, **options)
