"""layabauth 7.0.0: its Starlette backend, which fetches the keys for each request.

It checks neither issuer nor audience. The keys come over HTTP from a server on loopback.
"""

from __future__ import annotations

import time

from layabauth.starlette import OAuth2IdTokenBackend
from starlette.authentication import SimpleUser
from starlette.requests import HTTPConnection

from bench.cases import Cases, async_loop, token_cases
from bench.material import COMPARED, Material


def cases(material: Material, url: str) -> Cases:
    """`authenticate` with the connection that Starlette's own middleware would hand it."""
    found: Cases = {}
    for kind in COMPARED:
        backend = OAuth2IdTokenBackend(
            f"{url}/RS256.{kind.name}.jwks.json",
            create_user=lambda token, token_body: SimpleUser(token_body["sub"]),
            scopes=lambda token, token_body: (token_body.get("scope") or token_body["scp"]).split(),
        )

        async def verify(token: str, backend: OAuth2IdTokenBackend = backend) -> None:
            headers = [(b"authorization", f"Bearer {token}".encode())]
            if await backend.authenticate(HTTPConnection({"type": "http", "headers": headers})) is None:
                raise RuntimeError("refused")

        found |= token_cases(material, "RS256", kind, async_loop(verify), time.perf_counter_ns)
    return found
