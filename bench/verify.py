"""A token verified: bearerguard against the floor, and the others against theirs, in the same rounds."""

from __future__ import annotations

from collections.abc import Mapping

from bench.kinds import Kind
from bench.material import EXAMPLE, SUBJECTS
from bench.report import Figure, Findings, Row
from bench.rounds import Timings, Worker, take_rounds
from bench.settings import Settings

OURS = "bearerguard"
PYTHON_VERIFIERS = {
    OURS: "ours",
    "joserfc": "joserfc",
    "PyJWT, key in hand": "pyjwt_key",
    "PyJWT + PyJWKClient": "pyjwt",
    "Authlib": "authlib",
    "python-jose": "python_jose",
    "FastMCP JWTVerifier": "fastmcp",
}
SEEDS = {"starlette-oauth2-api": "starlette_oauth2_api", "layabauth": "layabauth"}
NODE_VERIFIERS = ("fast-jwt", "jose")
NEW_TARGETS = {"RS256": 1.45, "ES256": 1.2, "EdDSA": 1.15}


def _workers(settings: Settings) -> dict[str, Worker]:
    workers = {
        name: settings.worker(f"bench.verifiers.{module}") for name, module in PYTHON_VERIFIERS.items()
    }
    for name, module in SEEDS.items():
        workers[name] = settings.worker(f"bench.verifiers.{module}", settings.seeds_python)
    if settings.node is not None:
        subjects = [(algorithm, kind.name) for algorithm, kind in SUBJECTS]
        workers |= {f"{name} (Node.js)": settings.node_worker(name, subjects) for name in NODE_VERIFIERS}
    return workers


def _new(ours: Timings, algorithm: str, kind: Kind, target: float | None) -> Figure:
    new = f"{algorithm} {kind.name} new"
    return Figure(
        f"verify, {algorithm}, {kind.title}, never seen",
        ours.ratio(new, f"{algorithm} {kind.name} floor"),
        "x",
        target,
        against="the bare signature",
        absolute=ours.shown(new),
    )


def _figures(ours: Timings) -> list[Figure]:
    example = f"RS256 {EXAMPLE.name}"
    figures = [
        _new(ours, algorithm, kind, NEW_TARGETS[algorithm] if kind is EXAMPLE else None)
        for algorithm, kind in SUBJECTS
    ]
    figures += [
        Figure(
            "averify less verify, token never seen",
            ours.difference("RS256 averify new", f"{example} new"),
            "us",
            0.5,
        ),
        Figure(
            "averify less verify, token seen before",
            ours.difference("RS256 averify repeated", f"{example} repeated"),
            "us",
            0.5,
        ),
    ]
    for kind, name in (
        ("forged", "a bad signature"),
        ("expired", "an expired token"),
        ("junk", "junk that is no JWT"),
    ):
        case = f"refused {kind}"
        figures.append(
            Figure(
                f"{name}, refused",
                ours.ratio(case, f"{example} new"),
                "x",
                1.0,
                against="a token accepted",
                absolute=ours.shown(case),
            )
        )
    figures.append(Figure("junk that is no JWT, refused", ours.microseconds("refused junk"), "us", 5.0))
    return figures


def row_of(name: str, timings: Timings, algorithm: str, token: str, title: str) -> Row:
    """What one worker found of one algorithm and one kind of token."""
    floor, new, repeated = (f"{algorithm} {token} {case}" for case in ("floor", "new", "repeated"))
    return Row(
        name,
        algorithm,
        title,
        timings.microseconds(floor),
        timings.microseconds(new),
        timings.microseconds(repeated),
        timings.ratio(new, floor),
        timings.ratio(repeated, floor),
    )


def measure(settings: Settings) -> Findings:
    """Time every verifier with every algorithm that it has, and with the example and the worst real token.

    Args:
        settings: How long and with what.

    Returns:
        The figures of bearerguard with their targets, and a row for each verifier, algorithm and token.
    """
    workers = _workers(settings)
    findings = Findings(notes=[f"{rounds_of(settings, workers)} rounds"])
    if settings.node is None:
        findings.notes.append("no Node.js on this machine: fast-jwt and jose were not measured")
    findings.figures = _figures(workers[OURS].timings)
    findings.rows = [
        row_of(name, worker.timings, algorithm, kind.name, kind.title)
        for algorithm, kind in SUBJECTS
        for name, worker in workers.items()
        if f"{algorithm} {kind.name} new" in worker.timings.cases
    ]
    return findings


def rounds_of(settings: Settings, workers: Mapping[str, Worker]) -> int:
    """Have some workers take their rounds, and end them; returns how many rounds those were."""
    try:
        for worker in workers.values():
            worker.wait_until_ready()
        return take_rounds(workers.values(), settings.rounds, settings.part_seconds)
    finally:
        for worker in workers.values():
            worker.close()
