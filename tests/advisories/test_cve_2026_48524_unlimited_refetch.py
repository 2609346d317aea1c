"""CVE-2026-48524 (PyJWT).

Elsewhere every token with an unknown `kid` had the key set fetched again, and a fetch that failed threw the
keys away: anybody could take the provider down, and the API with it. Here one refresh in 30 seconds is all
that unknown `kid`s cause, and a failed one changes nothing.
"""

from __future__ import annotations

from bearerguard import ResourceServer
from bearerguard.testing import Clock, Issuer
from tests.advisories.verdict import ACCEPTED, verdict


def warm() -> tuple[Issuer, ResourceServer]:
    issuer = Issuer(clock=Clock(1_700_000_000))
    server = issuer.resource_server()
    server.warm_up()
    return issuer, server


def test_a_thousand_unknown_kids_cause_one_fetch() -> None:
    issuer, server = warm()
    before = issuer.count("/jwks")
    for number in range(1000):
        assert (
            verdict(server, issuer.token(alg="EdDSA", header={"kid": f"unknown-{number}"})) == "unknown_key"
        )
    assert issuer.count("/jwks") - before == 1
    assert verdict(server, issuer.token()) == ACCEPTED


def test_the_next_fetch_for_an_unknown_kid_is_due_after_the_cooldown() -> None:
    issuer, server = warm()
    before = issuer.count("/jwks")
    for seconds in (0, 29.9, 0.2):
        issuer.clock.advance(seconds)
        verdict(server, issuer.token(header={"kid": "unknown"}))
    assert issuer.count("/jwks") - before == 2


def test_a_failed_fetch_takes_no_key_away() -> None:
    issuer, server = warm()
    token = issuer.token()
    with issuer.outage():
        assert verdict(server, issuer.token(header={"kid": "unknown"})) == "provider_unavailable"
        assert verdict(server, token) == ACCEPTED
        assert verdict(server, issuer.token()) == ACCEPTED
