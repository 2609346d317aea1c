"""What must not pile up, and must not hide a new key, while a provider is in trouble for long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from bearerguard import Provider, ProviderUnavailable, ResourceServer
from bearerguard._limits import COOLDOWN, MAX_STUCK_REFRESHES
from bearerguard.testing import Clock, Issuer
from tests.faults import fault_server as fault
from tests.faults.fault_server import respond
from tests.faults.scripted_provider import METADATA, ScriptedProvider, health, until, verify


def imported(provider: ScriptedProvider) -> dict[str, object]:
    warm = provider.server(discovered=True)
    warm.warm_up()
    return warm.snapshot()


def test_metadata_whose_body_trickles_hides_no_new_key(provider: ScriptedProvider) -> None:
    server = provider.server(discovered=True, imported=imported(provider), timeout=5.0)
    provider.faults.script(METADATA, fault.trickle_body(provider.metadata, 0.05))
    provider.issuer.rotate()
    provider.answer(respond(provider.issuer.jwks()))
    assert verify(server, provider.token()).subject == "user-1"


def test_metadata_that_used_up_a_refresh_are_left_out_of_the_next(provider: ScriptedProvider) -> None:
    """Headers that trickle outlast any time-out of a read, so the refresh as a whole is given up."""
    server = provider.server(discovered=True, imported=imported(provider), timeout=0.3)
    provider.faults.script(METADATA, fault.trickle_headers(provider.metadata, 0.02))
    provider.issuer.rotate()
    provider.answer(respond(provider.issuer.jwks()))
    with pytest.raises(ProviderUnavailable):
        verify(server, provider.token())
    assert health(server)["last_failure"]["reason"] == "timeout"

    def recovered() -> bool:
        provider.clock.advance(COOLDOWN)
        try:
            return verify(server, provider.token()).subject == "user-1"
        except ProviderUnavailable:  # a busy machine may need longer than this for a good answer
            return False

    until(recovered, "a refresh without the metadata")
    assert health(server)["last_failure"]["reason"] == "metadata_left_out"


def test_the_last_failure_is_remembered_when_it_is_over(provider: ScriptedProvider) -> None:
    server = provider.server()
    provider.answer(respond({}, status=500))
    with pytest.raises(ProviderUnavailable):
        server.warm_up()
    failed_at = provider.clock()
    provider.publish()
    provider.clock.advance(COOLDOWN)
    server.warm_up()
    told = health(server)
    assert (told["state"], told["last_success"]) == ("fresh", provider.clock())
    assert (told["last_failure"]["at"], told["last_failure"]["reason"]) == (failed_at, "http_status")


def test_a_clock_that_is_set_back_does_not_put_the_next_refresh_off(provider: ScriptedProvider) -> None:
    server = provider.server()
    verify(server, provider.token())
    provider.clock.advance(-7200)
    asked = provider.fetches
    assert verify(server, provider.token()).subject == "user-1"
    until(lambda: provider.fetches == asked + 1, "a refresh")
    until(lambda: health(server)["last_success"] == provider.clock(), "its end")


@pytest.fixture
def hanging() -> Iterator[Callable[[], object]]:
    """A key function that does not return before the test ends."""
    released = threading.Event()
    yield lambda: released.wait(60)
    released.set()


def test_refreshes_that_never_end_do_not_pile_up(
    hanging: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(1_800_000_000)
    issuer = Issuer(algorithm="ES256", clock=clock)
    server = ResourceServer(Provider(issuer.url, audience=issuer.audience, keys=hanging), clock=clock)
    source = server._keys[issuer.url]
    monkeypatch.setattr(source, "_timeout", 0.02)  # five seconds of real time otherwise
    for _ in range(MAX_STUCK_REFRESHES + 2):
        with pytest.raises(ProviderUnavailable):
            server.warm_up()
        clock.advance(COOLDOWN)
    stuck = [thread for thread in threading.enumerate() if thread.name.startswith("bearerguard refresh")]
    assert len(stuck) == MAX_STUCK_REFRESHES
    assert health(server)["last_failure"]["reason"] == "stuck"
