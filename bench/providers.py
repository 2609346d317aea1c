"""The tokens that providers issue, new and repeated: bearerguard beside its floor, and beside fast-jwt."""

from __future__ import annotations

from bench.kinds import KINDS
from bench.report import Figure, Findings
from bench.rounds import Spread, Timings
from bench.settings import Settings
from bench.verifiers.ours_kinds import ALGORITHMS, LARGEST
from bench.verify import OURS, rounds_of, row_of

FAST_JWT = "fast-jwt (Node.js)"
SMALL = ("example",)
LARGE = ("keycloak-large", LARGEST)
USUAL = tuple(kind for kind in KINDS if kind not in (*SMALL, *LARGE))


def _title(kind: str) -> str:
    return KINDS[kind].title if kind in KINDS else f"of {kind} bytes"


def _repeated(ours: Timings, which: str, kinds: tuple[str, ...], target: float) -> Figure:
    ratios = {kind: ours.ratio(f"RS256 {kind} repeated", f"RS256 {kind} floor") for kind in kinds}
    worst = max(ratios, key=lambda kind: ratios[kind].median)
    return Figure(
        f"verify, RS256, seen before, {which}: {_title(worst)}",
        ratios[worst],
        "x",
        target,
        against="the bare signature",
        absolute=ours.shown(f"RS256 {worst} repeated"),
    )


def _beside(ours: Timings, other: Timings, algorithm: str, case: str) -> Figure:
    ratios = {}
    for kind in KINDS:
        name = f"{algorithm} {kind} {case}"
        pairs = zip(ours.cases[name], other.cases[name], strict=True)
        ratios[kind] = Spread.of([one / another for one, another in pairs])
    worst = max(ratios, key=lambda kind: ratios[kind].median)
    ahead = sum(ratio.median <= 1 for ratio in ratios.values())
    words = {"new": "never seen", "repeated": "seen before"}[case]
    return Figure(
        f"verify, {algorithm}, {words}, the kind that suits fast-jwt most: {_title(worst)}",
        ratios[worst],
        "x",
        1.0,
        against="fast-jwt under Node.js",
        absolute=f"ahead with {ahead} of {len(ratios)} kinds",
    )


def measure(settings: Settings) -> Findings:
    """Time every kind of token, new and repeated.

    Args:
        settings: How long and with what.

    Returns:
        The dearest kinds with their targets, and a row for each verifier, algorithm and kind.
    """
    workers = {OURS: settings.worker("bench.verifiers.ours_kinds")}
    if settings.node is not None:
        subjects = [(algorithm, kind) for algorithm in ALGORITHMS for kind in KINDS]
        workers[FAST_JWT] = settings.node_worker("fast-jwt", subjects)
    findings = Findings(notes=[f"{rounds_of(settings, workers)} rounds"])
    ours = workers[OURS].timings
    findings.figures = [
        _repeated(ours, "the example", SMALL, 0.07),
        _repeated(ours, "the dearest up to 3 kB", USUAL, 0.12),
        _repeated(ours, "the dearest of any size", LARGE, 0.25),
    ]
    if settings.node is not None:
        other = workers[FAST_JWT].timings
        findings.figures += [
            _beside(ours, other, algorithm, case) for algorithm in ALGORITHMS for case in ("new", "repeated")
        ]
    findings.rows = [
        row_of(name, worker.timings, algorithm, kind, _title(kind))
        for algorithm in ALGORITHMS
        for kind in (*KINDS, LARGEST)
        for name, worker in workers.items()
        if f"{algorithm} {kind} new" in worker.timings.cases
    ]
    return findings
