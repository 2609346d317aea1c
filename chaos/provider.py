"""The provider of a chaos run, a process of its own: serves a key set over HTTP, well or badly, as told.

It takes one JSON object a line on standard input and answers each with one on standard output:
`{"jwks": ...}` publishes a key set, `{"mood": ...}` changes how it serves, `{}` only asks for the counts.
It holds no private key and mints nothing; the run does.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.faults.fault_server import (
    Answer,
    FaultServer,
    after,
    bomb,
    cut_short,
    not_http,
    not_modified,
    padded,
    redirect,
    respond,
    stall_in_body,
    stall_in_headers,
    with_etag,
)

METADATA = "/.well-known/openid-configuration"
JWKS = "/jwks"


def rubbish(good: dict[str, Any]) -> list[Answer]:
    """One of each kind, in turn."""
    return [
        respond("<html>Sign in</html>", content_type="text/html"),
        respond({"keys": []}),
        respond({"error": "internal"}, status=500),
        cut_short(good),
        respond({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}),
        redirect("/elsewhere"),
        stall_in_headers(),
        not_http(),
        padded(good, 600_000),
        bomb(good, 5_000_000),
        respond([1, 2, 3]),
        respond(b'{"keys": [\xff]}'),
        respond({"error": "slow down"}, status=429, headers=[("Retry-After", "3600")]),
        not_modified(),
        stall_in_body(good),
    ]


def published(server: FaultServer, jwks: dict[str, Any], mood: str, slow: float) -> None:
    """Script both documents for `mood`: `up`, `slow`, `rubbish`; `down` closes the port."""
    metadata: dict[str, Any] = {"issuer": server.url(), "jwks_uri": server.url(JWKS)}
    version = f'"{hash(json.dumps(jwks))}"'
    for path, content, answer in (
        (METADATA, metadata, respond(metadata)),
        (JWKS, jwks, with_etag(jwks, version)),
    ):
        if mood == "slow":
            server.script(path, after(slow, answer))
        elif mood == "rubbish":
            server.script(path, *rubbish(content) * 50)
        else:
            server.script(path, answer)


def main() -> None:
    """Serve until standard input ends."""
    with FaultServer() as server:
        jwks: dict[str, Any] = {"keys": []}
        mood, slow = "up", 0.0
        print(json.dumps({"url": server.url()}), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            jwks = order.get("jwks", jwks)
            slow = order.get("slow", slow)
            wanted = order.get("mood", mood)
            if wanted == "down" != mood:
                server.refuse()
            elif mood == "down" != wanted:
                server.accept()
            mood = wanted
            published(server, jwks, mood, slow)
            counts = {"connections": server.connections, "jwks": server.count(JWKS)}
            print(json.dumps({**counts, "metadata": server.count(METADATA)}), flush=True)


if __name__ == "__main__":
    main()
