"""From the first fetch to the last second: lifetimes, refreshes ahead, rotations, staleness.

The clock is moved by hand; the provider is a real server that counts what it is asked.
"""

from __future__ import annotations

import math
import threading

import pytest

from bearerguard import InvalidToken, ProviderUnavailable, ResourceServer
from bearerguard.testing import signing_key
from tests.faults.fault_server import held, respond, with_etag
from tests.faults.scripted_provider import ScriptedProvider, health, until, verify

COLOURS = ["sync", "asyncio", "trio"]
LIFETIME = 600.0
STALE = 3600.0
COOLDOWN = 30.0
MINUTE, DAY = 60.0, 86_400.0


def accepted(server: ResourceServer, token: str, colour: str = "sync") -> bool:
    return verify(server, token, colour).subject == "user-1"


def refused(server: ResourceServer, token: str, colour: str = "sync") -> str:
    with pytest.raises(InvalidToken) as caught:
        verify(server, token, colour)
    return caught.value.reason


def refreshed(server: ResourceServer) -> None:
    """Wait for the end of a refresh that has been started."""
    until(lambda: health(server)["age"] == 0, "a refresh")


# --------------------------------------------------------------------------------------------- growing old


def test_nothing_is_fetched_before_the_first_request(provider: ScriptedProvider) -> None:
    server = provider.server()
    assert health(server) == {
        "state": "none",
        "age": None,
        "keys": 0,
        "kids": [],
        "last_success": None,
        "last_failure": None,
        "next_refresh": provider.clock(),
    }
    assert provider.faults.connections == 0


def test_fresh_keys_are_not_fetched_again(provider: ScriptedProvider) -> None:
    server = provider.server()
    assert accepted(server, provider.token())
    provider.clock.advance(0.79 * LIFETIME)
    assert accepted(server, provider.token())
    assert provider.fetches == 1
    assert health(server)["state"] == "fresh"


def test_a_refresh_is_due_ahead_of_the_end_and_keeps_no_request_waiting(provider: ScriptedProvider) -> None:
    server, gate = provider.server(), threading.Event()
    assert accepted(server, provider.token())
    due = health(server)["next_refresh"] - provider.clock()
    assert 0.8 * LIFETIME <= due <= 0.9 * LIFETIME

    provider.answer(held(gate, respond(provider.issuer.jwks())))
    provider.clock.advance(due)
    # The provider says nothing, and everybody is served: sync and async, new tokens and one seen before.
    again = provider.token()
    for colour in COLOURS:
        assert accepted(server, again, colour)
        assert accepted(server, provider.token(), colour)
    until(lambda: provider.fetches == 2)
    gate.set()
    refreshed(server)
    assert provider.fetches == 2


def test_the_refreshes_of_many_processes_are_spread(provider: ScriptedProvider) -> None:
    """Each key set draws its own moment, so that a fleet does not ask all at once."""
    moments = set()
    for number in range(8):
        server = provider.server(name=f"process {number}", lifetime=LIFETIME + number / 1e6)
        server.warm_up()
        moments.add(round(health(server)["next_refresh"]))
    assert len(moments) > 1


@pytest.mark.parametrize(
    ("cache_control", "lifetime"),
    [
        (None, LIFETIME),
        ("public", LIFETIME),
        ("max-age=1", MINUTE),
        ("max-age=0, must-revalidate", MINUTE),
        ("max-age=120", 120),
        ("public, Max-Age=7200, must-revalidate", 7200),
        ('max-age="7200"', 7200),
        ("max-age=31536000", DAY),
        ("max-age=99999999999999999999999999", DAY),
        ("max-age=-1", LIFETIME),
        ("max-age=soon", LIFETIME),
        ("s-maxage=7200", LIFETIME),
    ],
)
def test_the_lifetime_is_what_the_response_says_within_bounds(
    provider: ScriptedProvider, cache_control: str | None, lifetime: float
) -> None:
    provider.publish(headers=[] if cache_control is None else [("Cache-Control", cache_control)])
    server = provider.server()
    server.warm_up()
    assert 0.8 * lifetime <= health(server)["next_refresh"] - provider.clock() <= 0.9 * lifetime
    provider.clock.advance(lifetime - 1)
    assert health(server)["state"] == "fresh"
    provider.clock.advance(1)
    assert health(server)["state"] == "stale"


def test_a_configured_lifetime_outweighs_the_response(provider: ScriptedProvider) -> None:
    provider.publish(headers=[("Cache-Control", "max-age=7200")])
    server = provider.server(lifetime=20)
    server.warm_up()
    provider.clock.advance(20)
    assert health(server)["state"] == "stale"


def test_keys_of_infinite_lifetime_are_fetched_once_and_for_all(provider: ScriptedProvider) -> None:
    server = provider.server(lifetime=math.inf)
    assert accepted(server, provider.token())
    provider.clock.advance(100 * DAY)
    assert accepted(server, provider.token())
    assert health(server)["next_refresh"] is None
    assert refused(server, provider.token(key=signing_key("Ed25519"))) == "unknown_key"
    assert provider.fetches == 1


def test_a_304_renews_the_lifetime(provider: ScriptedProvider) -> None:
    provider.answer(with_etag(provider.issuer.jwks(), headers=[("Cache-Control", "max-age=120")]))
    server = provider.server()
    token = provider.token()
    assert accepted(server, token)
    for _ in range(3):
        provider.clock.advance(119)
        assert accepted(server, token)
        refreshed(server)
        assert health(server)["state"] == "fresh"
    asked = [request.headers.get("if-none-match") for request in provider.faults.requests]
    assert asked == [None, '"v1"', '"v1"', '"v1"']


def test_a_key_that_left_behind_an_etag_is_not_brought_back_by_a_304(provider: ScriptedProvider) -> None:
    old = provider.token()
    provider.answer(with_etag(provider.issuer.jwks(), '"old"'))
    server = provider.server()
    assert accepted(server, old)
    provider.issuer.rotate(overlap=False)
    provider.answer(with_etag(provider.issuer.jwks(), '"new"'))
    for _ in range(2):
        provider.clock.advance(LIFETIME)
        verify(server, provider.token())
        refreshed(server)
    assert refused(server, old) == "unknown_key"


@pytest.mark.parametrize("etag", ['"caf\xe9"', '"' + "a" * 1023 + '"'], ids=["not ASCII", "long"])
def test_a_validator_that_cannot_be_sent_back_ends_no_refresh(provider: ScriptedProvider, etag: str) -> None:
    """Else what a provider, or a proxy, sent once would keep a stolen key alive for good."""
    stolen = provider.token()
    provider.answer(with_etag(provider.issuer.jwks(), etag))
    server = provider.server()
    assert accepted(server, stolen)
    provider.issuer.rotate(overlap=False)
    provider.publish()
    provider.clock.advance(LIFETIME)
    verify(server, stolen)
    refreshed(server)
    assert refused(server, stolen) == "unknown_key"
    assert accepted(server, provider.token())


def test_of_keys_without_kid_a_new_one_is_found_behind_four_others(provider: ScriptedProvider) -> None:
    keys = [signing_key("Ed25519") for _ in range(5)]
    jwks = [{name: value for name, value in key.public_jwk().items() if name != "kid"} for key in keys]
    provider.answer(respond({"keys": jwks[:4]}), respond({"keys": jwks}))
    server = provider.server()
    unnamed = {"kid": None}
    assert accepted(server, provider.token(key=keys[0], header=unnamed))
    for _ in range(3):
        assert accepted(server, provider.token(key=keys[4], header=unnamed))
        provider.clock.advance(LIFETIME)
        verify(server, provider.token(key=keys[4], header=unnamed))
        refreshed(server)


def test_a_set_whose_order_changes_has_its_first_four_tried(provider: ScriptedProvider) -> None:
    keys = [signing_key("Ed25519") for _ in range(5)]
    jwks = [{name: value for name, value in key.public_jwk().items() if name != "kid"} for key in keys]
    provider.answer(respond({"keys": jwks}), respond({"keys": jwks[::-1]}))
    server = provider.server()
    unnamed = {"kid": None}
    assert accepted(server, provider.token(key=keys[0], header=unnamed))
    for _ in range(2):
        assert accepted(server, provider.token(key=keys[4], header=unnamed))
    assert provider.fetches == 2


# ------------------------------------------------------------------------------------------------ staleness


def test_keys_serve_for_an_hour_past_their_lifetime_and_then_it_is_a_503(provider: ScriptedProvider) -> None:
    server, seen = provider.server(), provider.token()
    assert accepted(server, seen)
    provider.faults.refuse()
    for elapsed in (LIFETIME, 1800, LIFETIME + STALE - 1):
        provider.clock.advance(elapsed - health(server)["age"])
        assert accepted(server, seen)
        assert accepted(server, provider.token())
        assert health(server)["state"] == "stale"
    provider.clock.advance(1)
    for token in (seen, provider.token()):
        with pytest.raises(ProviderUnavailable) as caught:
            verify(server, token)
        assert caught.value.status == 503
        assert 0 < caught.value.retry_after <= COOLDOWN
    assert health(server)["state"] == "none"


def test_a_provider_down_for_half_an_hour_is_asked_once_a_cooldown_and_refuses_nobody(
    provider: ScriptedProvider,
) -> None:
    server = provider.server()
    assert accepted(server, provider.token())
    provider.answer(respond(b"", status=500))
    provider.clock.advance(LIFETIME)
    for _ in range(30 * 60):
        assert server.verify(provider.token()).subject == "user-1"
        until(
            lambda: not [one for one in threading.enumerate() if one.name.startswith("bearerguard refresh")]
        )
        provider.clock.advance(1)
    assert provider.fetches == 1 + 30 * 60 / COOLDOWN


@pytest.mark.parametrize("colour", COLOURS)
def test_a_provider_that_is_down_at_the_start_is_tried_again_soon_and_then_less_often(
    provider: ScriptedProvider, colour: str
) -> None:
    provider.answer(respond(b"", status=500))
    server = provider.server()
    for number, cooldown in enumerate([1, 2, 4, 8, 16, COOLDOWN, COOLDOWN], start=1):
        for _ in range(3):
            with pytest.raises(ProviderUnavailable) as caught:
                verify(server, provider.token(), colour)
            assert caught.value.retry_after == cooldown
        assert provider.fetches == number
        provider.clock.advance(cooldown)
    provider.publish()
    assert accepted(server, provider.token(), colour)


def test_a_first_failure_after_years_of_service_is_followed_by_a_whole_cooldown(
    provider: ScriptedProvider,
) -> None:
    server = provider.server()
    assert accepted(server, provider.token())
    provider.answer(respond(b"", status=500))
    provider.clock.advance(LIFETIME)
    assert accepted(server, provider.token())
    until(lambda: health(server)["last_failure"] is not None)
    assert health(server)["next_refresh"] == provider.clock() + COOLDOWN


def test_a_clock_that_is_set_back_neither_blocks_refreshes_nor_ends_keys(provider: ScriptedProvider) -> None:
    server = provider.server()
    provider.answer(respond(b"", status=500))
    with pytest.raises(ProviderUnavailable):
        verify(server, provider.token())
    provider.publish()
    provider.clock.advance(-DAY)
    assert accepted(server, provider.token())
    provider.clock.advance(-3600)
    assert accepted(server, provider.token())
    assert health(server)["age"] == 0


# ------------------------------------------------------------------------------------------------- rotation


@pytest.mark.parametrize("discovered", [False, True], ids=["by URL", "discovered"])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_token_under_a_new_key_passes_at_its_first_request(
    provider: ScriptedProvider, colour: str, discovered: bool
) -> None:
    server = provider.server(discovered=discovered)
    assert accepted(server, provider.token())
    provider.issuer.rotate()
    provider.publish()
    assert accepted(server, provider.token(), colour)
    assert provider.fetches == 2


def test_a_key_that_was_published_ahead_costs_no_extra_fetch(provider: ScriptedProvider) -> None:
    server = provider.server()
    assert accepted(server, provider.token())
    provider.issuer.publish_next()
    provider.publish()
    provider.clock.advance(0.9 * LIFETIME)
    assert accepted(server, provider.token())
    refreshed(server)
    provider.issuer.rotate()
    provider.publish()
    for colour in COLOURS:
        assert accepted(server, provider.token(), colour)
    assert provider.fetches == 2


@pytest.mark.parametrize("colour", COLOURS)
def test_a_withdrawn_key_stops_at_the_next_refresh_for_tokens_seen_before_too(
    provider: ScriptedProvider, colour: str
) -> None:
    server, seen, unseen = provider.server(), provider.token(), provider.token()
    assert accepted(server, seen, colour)
    provider.issuer.rotate(overlap=False)
    provider.publish()
    provider.clock.advance(0.9 * LIFETIME)
    assert accepted(server, seen, colour)  # it starts the refresh
    refreshed(server)
    assert refused(server, seen, colour) == "unknown_key"
    assert refused(server, unseen, colour) == "unknown_key"
    assert accepted(server, provider.token(), colour)


def test_an_empty_set_withdraws_nothing(provider: ScriptedProvider) -> None:
    server = provider.server()
    assert accepted(server, provider.token())
    provider.answer(respond({"keys": []}))
    provider.clock.advance(LIFETIME)
    assert accepted(server, provider.token())
    until(lambda: health(server)["last_failure"] is not None)
    assert health(server)["last_failure"]["reason"] == "empty"
    assert accepted(server, provider.token())


def test_a_provider_that_moves_its_key_set_is_followed(provider: ScriptedProvider) -> None:
    server = provider.server(discovered=True)
    assert accepted(server, provider.token())
    provider.issuer.rotate(overlap=False)
    moved = {**provider.metadata, "jwks_uri": provider.faults.url("/moved")}
    provider.faults.script("/.well-known/openid-configuration", respond(moved))
    provider.faults.script("/moved", respond(provider.issuer.jwks()))
    assert accepted(server, provider.token())


def test_keys_by_a_function_are_refreshed_as_fetched_ones_are(provider: ScriptedProvider) -> None:
    asked = []

    async def keys() -> object:
        asked.append(provider.clock())
        return provider.issuer.jwks()

    server = provider.server(keys=keys)
    assert accepted(server, provider.token(), "asyncio")
    provider.issuer.rotate()
    assert accepted(server, provider.token(), "trio")
    assert len(asked) == 2
