"""Tokens that are bound to a key: what a proof adds to a request, and what it costs those that need none.

And what it costs that tokens may be taken back, which every request is asked about.
"""

from __future__ import annotations

from bench.report import Figure, Findings
from bench.settings import Settings
from bench.verify import rounds_of


def measure(settings: Settings) -> Findings:
    """Time one worker.

    Args:
        settings: How long and with what.

    Returns:
        The figures with their targets.
    """
    worker = settings.worker("bench.verifiers.ours_dpop")
    rounds = rounds_of(settings, {"bearerguard": worker})
    timings = worker.timings
    return Findings(
        [
            Figure(
                "a proof of a key seen before",
                timings.added_over("DPoP", "Bearer", "ES256"),
                "x",
                1.35,
                against="the bare ES256 check",
                absolute=timings.shown("DPoP"),
            ),
            Figure(
                "a proof of a key never seen",
                timings.added_over("DPoP, new key", "Bearer", "ES256, new key"),
                "x",
                1.35,
                against="the same with the key's import",
                absolute=timings.shown("DPoP, new key"),
            ),
            Figure(
                "a bearer token where DPoP is taken too",
                timings.ratio("Bearer where DPoP is taken", "Bearer"),
                "x",
                1.02,
                against="the same where it is not",
                absolute=timings.shown("Bearer where DPoP is taken"),
            ),
            Figure(
                "a bearer token where tokens may be taken back",
                timings.ratio("Bearer where tokens are taken back", "Bearer"),
                "x",
                1.15,
                against="the same where they may not",
                absolute=timings.shown("Bearer where tokens are taken back"),
            ),
        ],
        notes=[f"{rounds} rounds"],
    )
