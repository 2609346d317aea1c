"""What a middleware adds to an in-process Starlette request, in the same rounds as the seed's."""

from __future__ import annotations

from bench.report import Figure, Findings
from bench.rounds import Timings, take_rounds
from bench.settings import Settings


def _added(
    name: str, timings: Timings, new_target: float | None, repeated_target: float | None
) -> list[Figure]:
    new = timings.difference("request new", "request bare")
    ratio = timings.ratio_of_added("request new", "request signature", "request bare")
    repeated = timings.difference("request repeated", "request bare")
    return [
        Figure(
            f"{name} adds to a Starlette request, RS256, token never seen",
            ratio,
            "x",
            new_target,
            against="what the bare signature adds",
            absolute=f"{new.median:.1f} us",
        ),
        Figure(f"{name} adds to a Starlette request, token seen before", repeated, "us", repeated_target),
    ]


def measure(settings: Settings) -> Findings:
    """Time requests through the bare application and through the protected ones.

    Args:
        settings: How long and with what.

    Returns:
        What bearerguard's middleware adds, with its targets, and what the seed's adds.
    """
    ours = settings.worker("bench.verifiers.ours_middleware")
    seed = settings.worker("bench.verifiers.starlette_oauth2_api", settings.seeds_python)
    workers = (ours, seed)
    try:
        for worker in workers:
            worker.wait_until_ready()
        taken = take_rounds(workers, settings.rounds, settings.part_seconds)
    finally:
        for worker in workers:
            worker.close()
    bare = ours.timings.microseconds("request bare")
    return Findings(
        figures=[
            Figure("a request through bare Starlette", bare, "us"),
            Figure(
                "the bare signature adds to it",
                ours.timings.difference("request signature", "request bare"),
                "us",
            ),
            *_added("AuthenticateMiddleware", ours.timings, 1.6, 4.0),
            *_added("starlette-oauth2-api", seed.timings, None, None),
        ],
        notes=[f"{taken} rounds"],
    )
