"""bearerguard itself: `verify` and `averify`, accepted and refused."""

from __future__ import annotations

from bearerguard import InvalidToken, Provider, ResourceServer
from bench.cases import Case, Cases, async_loop, loop, refusing_loop, repeating, rotating, token_cases
from bench.material import ALGORITHMS, AUDIENCE, ISSUER, Material


def resource_server(material: Material, algorithm: str) -> ResourceServer:
    """A server that trusts one provider by its key set, defaults everywhere."""
    return ResourceServer(Provider(ISSUER, audience=AUDIENCE, keys=material.key_set(algorithm)))


def cases(material: Material, url: str) -> Cases:
    """Every algorithm; for RS256 also the asynchronous way and what is refused."""
    found: Cases = {}
    for algorithm in ALGORITHMS:
        found |= token_cases(material, algorithm, loop(resource_server(material, algorithm).verify))

    run = async_loop(resource_server(material, "RS256").averify)
    pool = material.tokens("RS256.new")
    found["RS256 averify new"] = Case(run, rotating(pool))
    found["RS256 averify repeated"] = Case(run, repeating(pool, run))

    verify = resource_server(material, "RS256").verify
    refuse = refusing_loop(verify, InvalidToken)
    for kind in ("RS256.forged", "RS256.expired", "junk"):
        found[f"refused {kind.rpartition('.')[2]}"] = Case(refuse, rotating(material.tokens(kind)))
    return found
