"""FastMCP's JWTVerifier, which keeps the key set as PEM for an hour."""

from __future__ import annotations

import asyncio

from fastmcp.server.auth.providers.jwt import JWTVerifier

from bench.cases import Cases, async_loop, token_cases
from bench.material import SUBJECTS, Material


def cases(material: Material, url: str) -> Cases:
    """`verify_token`, which answers a refusal with None."""
    found: Cases = {}
    for algorithm, kind in SUBJECTS:
        subject = f"{algorithm}.{kind.name}"
        verifier = JWTVerifier(
            jwks_uri=f"{url}/{subject}.jwks.json",
            issuer=kind.issuer,
            audience=kind.audience,
            algorithm=algorithm,
        )

        async def verify(token: str, verifier: JWTVerifier = verifier) -> None:
            if await verifier.verify_token(token) is None:
                raise RuntimeError("refused")

        asyncio.run(verify(material.tokens(subject)[0]))  # fetches the keys
        found |= token_cases(material, algorithm, kind, async_loop(verify))
    return found
