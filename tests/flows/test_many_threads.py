"""Threads that share a pipeline whose memory is full and whose keys rotate; with or without a global lock."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from bearerguard import AccessToken, AuthError, limit_verdict_memory, role, scope
from bearerguard._core.generations import Generations
from bearerguard._flows.jwt import Verdict
from bearerguard._flows.pipeline import Pipeline
from bearerguard._limits import VERDICT_MEMORY_BYTES
from bearerguard.provider import Provider
from bearerguard.testing import Clock, Issuer
from bearerguard.token import judged
from tests.flows.pipeline import NOW, StubSource

THREADS, TOKENS, ROUNDS = 8, 40, 12
SUBJECTS = [f"user-{number}" for number in range(TOKENS)]


def test_no_thread_is_given_the_token_of_another_or_a_key_that_has_left() -> None:
    """Bounded work, and no time: what is accepted is whose it says, under a key that is in force."""
    issuers = [Issuer(algorithm="ES256", clock=Clock(NOW)) for _ in range(2)]
    sources = [StubSource(issuers[0].jwks()) for _ in range(2)]
    rule = scope("read") & ~role("nobody")
    pipelines = []
    for source in sources:
        provider = Provider(issuers[0].url, audience=issuers[0].audience, keys="https://issuer.test/jwks")
        pipeline = Pipeline([(provider, source)], lambda: NOW)
        pipeline._headers = Generations(4)
        pipelines.append(pipeline)
    tokens = [
        [issuer.token(name, "read", groups=[name], padding="x" * 400).encode() for name in SUBJECTS]
        for issuer in issuers
    ]
    forged = issuers[0].forged().encode()
    begin = threading.Barrier(THREADS)

    def work(number: int) -> int:
        begin.wait()
        accepted = 0
        for turn in range(ROUNDS):
            if number == 0:  # one of them rotates the keys of both
                for source in sources:
                    source.publish(issuers[turn % 2].jwks())
            for which, name in enumerate(SUBJECTS):
                pipeline = pipelines[(number + which) % 2]
                for _ in range(3):
                    outcome = admitted(pipeline, tokens[(turn + number) % 2][which])
                    if outcome is not None:
                        assert outcome.subject == name
                        assert outcome.scopes == {"read"}
                        assert judged(outcome, rule)
                        mine = outcome.claims_copy()
                        assert mine["groups"] == [name]
                        mine["groups"].clear()
                        accepted += 1
                assert admitted(pipeline, forged) is None
        return accepted

    limit = 64 * 1024  # a few dozen tokens: it is always full
    limit_verdict_memory(limit)
    try:
        with ThreadPoolExecutor(THREADS) as threads:
            accepted = list(threads.map(work, range(THREADS)))
        memories = [(one._verdicts.young, one._verdicts.old) for one in pipelines]
    finally:
        limit_verdict_memory(VERDICT_MEMORY_BYTES)
    assert sum(accepted) > 0
    held = {id(verdict): verdict for memory in memories for verdict in _verdicts_of(memory)}
    assert held
    assert sum(verdict.weight for verdict in held.values()) <= 2 * limit
    # Whatever was remembered, a key that has left verifies nothing.
    for pipeline, source in zip(pipelines, sources, strict=True):
        source.publish(Issuer(algorithm="ES256", clock=Clock(NOW)).jwks())
        assert all(admitted(pipeline, token) is None for both in tokens for token in both)


def admitted(pipeline: Pipeline, token: bytes) -> AccessToken | None:
    """The token; None where it is refused, or would have to wait for other keys."""
    try:
        outcome = pipeline.admit(token)
    except AuthError:
        return None
    return outcome if isinstance(outcome, AccessToken) else None


def _verdicts_of(generations: tuple[dict[bytes, Verdict], dict[bytes, Verdict]]) -> list[Verdict]:
    return [verdict for generation in generations for verdict in generation.values()]
