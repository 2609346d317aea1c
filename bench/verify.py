"""A token verified: bearerguard against the floor, and the others against theirs, in the same rounds."""

from __future__ import annotations

from bench.material import ALGORITHMS
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
        workers |= {f"{name} (Node.js)": settings.node_worker(name) for name in NODE_VERIFIERS}
    return workers


def _figures(ours: Timings) -> list[Figure]:
    def microseconds(case: str) -> str:
        return f"{ours.microseconds(case).median:.1f} us"

    figures = []
    for algorithm, target in NEW_TARGETS.items():
        new, floor = f"{algorithm} new", f"{algorithm} floor"
        figures.append(
            Figure(
                f"verify, {algorithm}, token never seen",
                ours.ratio(new, floor),
                "x",
                target,
                against="the bare signature",
                absolute=microseconds(new),
            )
        )
    figures += [
        Figure("verify, RS256, token seen before", ours.microseconds("RS256 repeated"), "us", 1.5),
        Figure(
            "verify, RS256, token seen before",
            ours.ratio("RS256 repeated", "RS256 floor"),
            "x",
            0.1,
            against="the bare signature",
        ),
        Figure(
            "averify less verify, token never seen",
            ours.difference("RS256 averify new", "RS256 new"),
            "us",
            0.5,
        ),
        Figure(
            "averify less verify, token seen before",
            ours.difference("RS256 averify repeated", "RS256 repeated"),
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
                ours.ratio(case, "RS256 new"),
                "x",
                1.0,
                against="a token accepted",
                absolute=microseconds(case),
            )
        )
    figures.append(Figure("junk that is no JWT, refused", ours.microseconds("refused junk"), "us", 5.0))
    return figures


def _row(name: str, timings: Timings, algorithm: str) -> Row:
    floor, new, repeated = (f"{algorithm} {case}" for case in ("floor", "new", "repeated"))
    return Row(
        name,
        algorithm,
        timings.microseconds(floor),
        timings.microseconds(new),
        timings.microseconds(repeated),
        timings.ratio(new, floor),
        timings.ratio(repeated, floor),
    )


def measure(settings: Settings) -> Findings:
    """Time every verifier with every algorithm that it has.

    Args:
        settings: How long and with what.

    Returns:
        The figures of bearerguard with their targets, and a row for each verifier and algorithm.
    """
    workers = _workers(settings)
    findings = Findings()
    try:
        for worker in workers.values():
            worker.wait_until_ready()
        taken = take_rounds(workers.values(), settings.rounds, settings.part_seconds)
    finally:
        for worker in workers.values():
            worker.close()
    findings.notes.append(f"{taken} rounds")
    if settings.node is None:
        findings.notes.append("no Node.js on this machine: fast-jwt and jose were not measured")
    findings.figures = _figures(workers[OURS].timings)
    findings.rows = [
        _row(name, worker.timings, algorithm)
        for algorithm in ALGORITHMS
        for name, worker in workers.items()
        if f"{algorithm} new" in worker.timings.cases
    ]
    return findings
