"""bearerguard itself: `verify` and `averify`, accepted and refused."""

from __future__ import annotations

from typing import Any

import bearerguard
from bearerguard import InvalidToken, Provider, ResourceServer
from bench.cases import Case, Cases, async_loop, loop, refusing_loop, repeating, rotating, token_cases
from bench.kinds import Kind
from bench.material import EXAMPLE, SUBJECTS, Material

LITTLE = 2 * 1024 * 1024
"""Bytes: less than the verdicts of all tokens of a pool take."""


def remember_little() -> None:
    """Forget a token before it comes back, so that each one of a pool is verified anew."""
    bearerguard.limit_verdict_memory(LITTLE)


def provider(material: Material, algorithm: str, kind: Kind = EXAMPLE, **more: Any) -> Provider:
    """A provider that is trusted by its key set, defaults wherever they will do."""
    keys = material.key_set(f"{algorithm}.{kind.name}")
    options = dict(kind.options)
    if "profile" in options:
        options["profile"] = getattr(bearerguard, options["profile"])
    return Provider(kind.issuer, audience=kind.audience, keys=keys, **options, **more)


def resource_server(material: Material, algorithm: str, kind: Kind = EXAMPLE, **more: Any) -> ResourceServer:
    """A server that trusts one such provider, with more options of a `Provider`."""
    return ResourceServer(provider(material, algorithm, kind, **more))


def cases(material: Material, url: str) -> Cases:
    """Every algorithm; for RS256 and the example also the asynchronous way and what is refused."""
    remember_little()
    found: Cases = {}
    for algorithm, kind in SUBJECTS:
        verify = resource_server(material, algorithm, kind).verify
        found |= token_cases(material, algorithm, kind, loop(verify))

    run = async_loop(resource_server(material, "RS256").averify)
    pool = material.tokens("RS256.example")
    found["RS256 averify new"] = Case(run, rotating(pool))
    found["RS256 averify repeated"] = Case(run, repeating(pool, run))

    refuse = refusing_loop(resource_server(material, "RS256").verify, InvalidToken)
    for kind_of_refused in ("RS256.forged", "RS256.expired", "junk"):
        name = kind_of_refused.rpartition(".")[2]
        found[f"refused {name}"] = Case(refuse, rotating(material.tokens(kind_of_refused)))
    return found
