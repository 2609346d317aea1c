"""`ready()`: whether every provider has keys that may still be used. It fetches ahead, and never waits."""

from __future__ import annotations

import threading

from bearerguard import RemoteKeys, ResourceServer, Revocation
from bearerguard.testing import Issuer
from tests.faults.fault_server import held, respond
from tests.faults.scripted_provider import ScriptedProvider, health, until

HOUR = 3600.0


def named(provider: ScriptedProvider, *names: str) -> ResourceServer:
    """A server with a provider of each name, its keys at the path of that name."""
    return ResourceServer(
        *(
            provider.provider(issuer=f"https://{name}.test", name=name, keys=provider.faults.url(f"/{name}"))
            for name in names
        ),
        clock=provider.clock,
    )


def test_a_server_becomes_ready_by_being_asked(provider: ScriptedProvider) -> None:
    """In Kubernetes no request comes before it is, so nobody else would fetch."""
    gate = threading.Event()  # so that the keys are not there before `ready` has looked
    provider.faults.script("/one", held(gate, respond(provider.issuer.jwks())))
    server = named(provider, "one")
    assert not server.ready()
    gate.set()
    until(server.ready)
    assert len(provider.faults.requests) == 1


def test_it_waits_for_nobody(provider: ScriptedProvider) -> None:
    gate = threading.Event()
    provider.faults.script("/one", held(gate, respond(provider.issuer.jwks())))
    server = named(provider, "one")
    assert [server.ready(), server.ready()] == [False, False]
    gate.set()
    until(server.ready)


def test_every_provider_must_have_keys(provider: ScriptedProvider) -> None:
    provider.faults.script("/one", respond(provider.issuer.jwks()))
    provider.faults.script("/other", respond(b"", status=500))
    server = named(provider, "one", "other")
    server.ready()
    until(lambda: health(server, "one")["state"] == "fresh")
    until(lambda: health(server, "other")["last_failure"] is not None)
    assert not server.ready()
    provider.faults.script("/other", respond(provider.issuer.jwks()))
    provider.clock.advance(31)
    until(server.ready)


def test_an_outage_with_keys_in_hand_stays_ready_until_they_are_too_old(provider: ScriptedProvider) -> None:
    provider.faults.script("/one", respond(provider.issuer.jwks()))
    server = named(provider, "one")
    until(server.ready)
    provider.faults.refuse()
    provider.clock.advance(HOUR)
    assert health(server, "one")["state"] == "stale"
    assert server.ready()
    provider.clock.advance(700)
    assert not server.ready()


def test_an_api_without_requests_keeps_its_keys_by_being_asked(provider: ScriptedProvider) -> None:
    provider.faults.script("/one", respond(provider.issuer.jwks()))
    server = named(provider, "one")
    until(server.ready)
    for _ in range(3):
        provider.clock.advance(600)
        assert server.ready()
        until(lambda: health(server, "one")["state"] == "fresh")


def test_an_outage_is_asked_about_by_the_pauses_of_every_request(provider: ScriptedProvider) -> None:
    provider.faults.script("/one", respond(b"", status=500))
    server = named(provider, "one")
    for _ in range(50):
        server.ready()
        until(lambda: health(server, "one")["last_failure"] is not None)
    assert len(provider.faults.requests) == 1


def test_keys_that_nobody_fetches_ahead_are_ready(issuer: Issuer) -> None:
    given = issuer.resource_server(keys=issuer.jwks())
    by_kid = issuer.resource_server(keys=RemoteKeys("https://keys.test/{kid}", kid_pattern="[a-z]+"))
    trusting = ResourceServer.trusting(lambda _: True, audience="https://api.test", clock=issuer.clock)
    assert [server.ready() for server in (given, by_kid, trusting)] == [True, True, True]
    assert issuer.requests == ()


def test_a_closed_server_is_not_ready(issuer: Issuer) -> None:
    for server in (
        issuer.resource_server(keys=issuer.jwks()),
        ResourceServer.trusting(lambda _: True, audience="https://api.test", clock=issuer.clock),
    ):
        server.close()
        assert not server.ready()


def test_revocations_in_memory_are_always_heard(issuer: Issuer) -> None:
    server = issuer.resource_server(keys=issuer.jwks(), revocation=Revocation())
    server.revoke(issuer.token())
    assert server.ready()
