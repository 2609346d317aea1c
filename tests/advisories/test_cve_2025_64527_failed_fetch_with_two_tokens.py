"""CVE-2025-64527 (Envoy).

Elsewhere a fetch of keys that failed while two tokens waited for it ended the process. Here every token
that waits gets its answer, 503, and the first one after the outage passes.
"""

from __future__ import annotations

import asyncio
import threading

import pytest

from bearerguard import AccessToken, AuthError, ProviderUnavailable, ResourceServer
from bearerguard.testing import Clock, Issuer
from tests.advisories.verdict import ACCEPTED, verdict


@pytest.fixture
def issuers() -> list[Issuer]:
    clock = Clock(1_700_000_000)
    return [Issuer(f"https://{name}.test", algorithm="EdDSA", clock=clock) for name in ("one", "two")]


async def outcome(server: ResourceServer, token: str) -> type:
    try:
        return type(await server.averify(token))
    except AuthError as error:
        return type(error)


def test_every_token_that_waits_for_a_fetch_that_fails_gets_a_503(issuers: list[Issuer]) -> None:
    """Of one issuer and of two, as tasks of one loop."""
    server = ResourceServer(*(issuer.provider() for issuer in issuers), clock=issuers[0].clock)

    async def all_at_once() -> list[type]:
        tokens = [issuer.token(sub=str(number)) for issuer in issuers for number in range(20)]
        return await asyncio.gather(*(outcome(server, token) for token in tokens))

    with issuers[0].outage(), issuers[1].outage(status=500):
        assert set(asyncio.run(all_at_once())) == {ProviderUnavailable}
    issuers[0].clock.advance(31)
    assert set(asyncio.run(all_at_once())) == {AccessToken}


def test_threads_that_wait_for_a_fetch_that_fails_get_a_503_each(issuers: list[Issuer]) -> None:
    server = ResourceServer(*(issuer.provider() for issuer in issuers), clock=issuers[0].clock)
    verdicts: list[str] = []

    def verify(token: str) -> None:
        verdicts.append(verdict(server, token))

    with issuers[0].outage(), issuers[1].outage():
        threads = [threading.Thread(target=verify, args=(issuer.token(),)) for issuer in issuers * 5]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert verdicts == ["provider_unavailable"] * 10


def test_a_failed_fetch_for_one_issuer_does_not_touch_a_token_of_another(issuers: list[Issuer]) -> None:
    server = ResourceServer(*(issuer.provider() for issuer in issuers), clock=issuers[0].clock)
    with issuers[0].outage():
        assert verdict(server, issuers[0].token()) == "provider_unavailable"
        assert verdict(server, issuers[1].token()) == ACCEPTED
