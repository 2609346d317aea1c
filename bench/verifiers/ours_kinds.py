"""bearerguard with every kind of token, new and repeated, and with one as large as tokens may be."""

from __future__ import annotations

from bearerguard import ResourceServer
from bench.cases import Case, Cases, floor_case, loop, never_seen, repeating
from bench.kinds import KINDS, Kind
from bench.material import EXAMPLE, TOKEN_SIZES, Material
from bench.verifiers.ours import provider

ALGORITHMS = ("RS256", "EdDSA")
LARGEST = str(TOKEN_SIZES[-1])


def cases(material: Material, url: str) -> Cases:
    """A floor, a new and a repeated token of each kind."""
    found: Cases = {}
    for algorithm in ALGORITHMS:
        for kind in KINDS.values():
            found |= _cases(material, algorithm, kind, kind.name)
    return found | _cases(material, "RS256", EXAMPLE, LARGEST)


def _cases(material: Material, algorithm: str, kind: Kind, tokens: str) -> Cases:
    trusted = provider(material, algorithm, kind)
    pool = material.tokens(f"{algorithm}.{tokens}")
    run = loop(ResourceServer(trusted).verify)
    subject = f"{algorithm} {tokens}"
    return {
        f"{subject} floor": floor_case(material, algorithm, f"{algorithm}.{tokens}"),
        f"{subject} new": never_seen(pool, lambda: ResourceServer(trusted).verify),
        f"{subject} repeated": Case(run, repeating(pool, run)),
    }
