"""What a middleware adds to an in-process Starlette request, in the same rounds as the seed's."""

from __future__ import annotations

from bench.kinds import Kind
from bench.material import COMPARED, EXAMPLE
from bench.report import Figure, Findings
from bench.rounds import Timings
from bench.settings import Settings
from bench.verify import rounds_of

NEW_TARGET, REPEATED_TARGET = 1.6, 4.0


def _added(name: str, timings: Timings, kind: Kind, *, targets: bool) -> list[Figure]:
    bare, signature, new, repeated = (
        f"{kind.name} {case}" for case in ("bare", "signature", "new", "repeated")
    )
    return [
        Figure(
            f"{name} adds to a Starlette request, RS256, {kind.title}, never seen",
            timings.ratio_of_added(new, signature, bare),
            "x",
            NEW_TARGET if targets else None,
            against="what the bare signature adds",
            absolute=f"{timings.difference(new, bare).median:.1f} us",
        ),
        Figure(
            f"{name} adds to a Starlette request, {kind.title}, seen before",
            timings.difference(repeated, bare),
            "us",
            REPEATED_TARGET if targets else None,
        ),
    ]


def measure(settings: Settings) -> Findings:
    """Time requests through the bare application and through the protected ones.

    Args:
        settings: How long and with what.

    Returns:
        What bearerguard's middleware adds, with its targets, and what the seed's adds.
    """
    workers = {
        "AuthenticateMiddleware": settings.worker("bench.verifiers.ours_middleware"),
        "starlette-oauth2-api": settings.worker(
            "bench.verifiers.starlette_oauth2_api", settings.seeds_python
        ),
    }
    taken = rounds_of(settings, workers)
    ours = workers["AuthenticateMiddleware"].timings
    figures = [Figure("a request through bare Starlette", ours.microseconds("example bare"), "us")]
    for kind in COMPARED:
        added = ours.difference(f"{kind.name} signature", f"{kind.name} bare")
        figures.append(Figure(f"the bare signature adds to it, {kind.title}", added, "us"))
    for name, worker in workers.items():
        for kind in COMPARED:
            targets = worker.timings is ours and kind is EXAMPLE
            figures += _added(name, worker.timings, kind, targets=targets)
    return Findings(figures, notes=[f"{taken} rounds"])
