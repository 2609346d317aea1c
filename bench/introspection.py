"""Tokens that a provider is asked about, at an endpoint on loopback: repeated, new, and many at once."""

from __future__ import annotations

import threading

import httpx2

from bench.introspection_endpoint import SLOWLY
from bench.report import Figure, Findings
from bench.rounds import Spread
from bench.settings import Settings
from bench.verify import rounds_of

AT_ONCE = 200


def _questions(settings: Settings) -> int:
    """How often the endpoint is asked when many requests come at once with one new token."""
    from bench.verifiers.ours_introspection import asking, endpoint, new_tokens

    where = endpoint()
    server = asking(f"{where}/slowly", settings.material)
    (token,) = new_tokens(1)
    together = threading.Barrier(AT_ONCE)

    def verify() -> None:
        together.wait()
        server.verify(token)

    threads = [threading.Thread(target=verify) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return int(httpx2.get(f"{where}/count", trust_env=False).text)


def measure(settings: Settings) -> Findings:
    """Time one worker, and count.

    Args:
        settings: How long and with what.

    Returns:
        The figures with their targets.
    """
    worker = settings.worker("bench.verifiers.ours_introspection")
    rounds = rounds_of(settings, {"bearerguard": worker})
    timings = worker.timings
    return Findings(
        [
            Figure(
                "an opaque token, seen before",
                timings.ratio("opaque repeated", "JWT repeated"),
                "x",
                1.1,
                against="a JWT seen before",
                absolute=timings.shown("opaque repeated"),
            ),
            Figure(
                "an opaque token, never seen",
                timings.ratio("opaque new", "bare request"),
                "x",
                1.3,
                against="the bare request of httpx2",
                absolute=timings.shown("opaque new"),
            ),
            Figure(
                f"questions for {AT_ONCE} requests at once with one new token; one takes {SLOWLY:g} s",
                Spread.of([float(_questions(settings))]),
                "questions",
                1.0,
            ),
        ],
        notes=[f"{rounds} rounds"],
    )
