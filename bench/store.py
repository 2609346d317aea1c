"""A server of many: what a shared store and revocations add to a request."""

from __future__ import annotations

from bench.report import Figure, Findings
from bench.settings import Settings
from bench.verify import rounds_of


def measure(settings: Settings) -> Findings:
    """Time one worker, beside a Redis on the same machine.

    Args:
        settings: How long and with what.

    Returns:
        The figures with their targets.
    """
    worker = settings.worker("bench.verifiers.ours_store")
    rounds = rounds_of(settings, {"bearerguard": worker})
    timings = worker.timings
    return Findings(
        [
            Figure(
                "a repeated token, with a store and revocations",
                timings.ratio("Bearer, revocations", "Bearer"),
                "x",
                1.15,
                against="the same without",
                absolute=timings.shown("Bearer, revocations"),
            ),
            Figure(
                "what a store adds to a request with a proof",
                timings.added_over("DPoP, store", "DPoP", "SET NX PX"),
                "x",
                1.3,
                against="the bare SET NX PX of the same client",
                absolute=timings.shown("DPoP, store"),
            ),
        ],
        notes=[f"{rounds} rounds"],
    )
