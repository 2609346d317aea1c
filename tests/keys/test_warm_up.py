"""`warm_up()` before the first request, `health()` at any time, and the keys that are pinned."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from bearerguard import InvalidToken, ProviderUnavailable, ResourceServer
from bearerguard.testing import SigningKey, signing_key
from tests.faults.fault_server import held, respond
from tests.faults.scripted_provider import LONG, ScriptedProvider, health, in_time, until, verify

COLOURS = ["sync", "asyncio", "trio"]
COOLDOWN = 30.0


def warm(server: ResourceServer, colour: str) -> None:
    if colour == "sync":
        in_time(server.warm_up)
    else:
        in_time(lambda: anyio.run(server.awarm_up, backend=colour))


def several(provider: ScriptedProvider, *names: str, **overrides: Any) -> ResourceServer:
    """A server with a provider of each name, its keys at the path of that name."""
    providers = [
        provider.provider(
            issuer=f"https://{name}.test", name=name, keys=provider.faults.url(f"/{name}"), **overrides
        )
        for name in names
    ]
    return ResourceServer(*providers, clock=provider.clock)


@pytest.mark.parametrize("colour", COLOURS)
def test_after_a_warm_up_no_request_fetches(provider: ScriptedProvider, colour: str) -> None:
    for name in ("one", "two"):
        provider.faults.script(f"/{name}", respond(provider.issuer.jwks()))
    server = several(provider, "one", "two")
    warm(server, colour)
    provider.faults.refuse()
    for name in ("one", "two"):
        assert verify(server, provider.token(iss=f"https://{name}.test"), colour).provider.name == name
        assert health(server, name)["state"] == "fresh"
    warm(server, colour)
    assert len(provider.faults.requests) == 2


@pytest.mark.parametrize("colour", COLOURS)
def test_a_warm_up_names_the_providers_that_failed_and_why_and_warms_the_others(
    provider: ScriptedProvider, colour: str
) -> None:
    provider.faults.script("/sound", respond(provider.issuer.jwks()))
    provider.faults.script("/down", respond(b"", status=500))
    provider.faults.script("/empty", respond({"keys": []}))
    server = several(provider, "down", "sound", "empty")
    with pytest.raises(ProviderUnavailable) as caught:
        warm(server, colour)
    said = str(caught.value)
    assert "down: " in said
    assert "HTTP 500" in said
    assert "empty: " in said
    assert "it holds no key" in said
    assert "sound: " not in said
    assert 0 < caught.value.retry_after <= COOLDOWN
    assert verify(server, provider.token(iss="https://sound.test")).provider.name == "sound"
    # A probe asks again and again: it asks the provider again after the cooldown only.
    asked = len(provider.faults.requests)
    with pytest.raises(ProviderUnavailable):
        warm(server, colour)
    assert len(provider.faults.requests) == asked
    provider.faults.script("/down", respond(provider.issuer.jwks()))
    provider.faults.script("/empty", respond(provider.issuer.jwks()))
    provider.clock.advance(COOLDOWN)
    warm(server, colour)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_warm_up_asks_all_providers_at_once(provider: ScriptedProvider, colour: str) -> None:
    names = [f"slow-{number}" for number in range(5)]
    gate = threading.Event()
    for name in names:
        provider.faults.script(f"/{name}", held(gate, respond(provider.issuer.jwks())))
    server = several(provider, *names, timeout=2 * LONG)
    with ThreadPoolExecutor(1) as threads:
        warming = threads.submit(warm, server, colour)
        try:
            until(lambda: len(provider.faults.requests) == len(names), "a request to each")
        finally:
            gate.set()
        warming.result(LONG)
    assert {health(server, name)["state"] for name in names} == {"fresh"}


# -------------------------------------------------------------------------------------------------- health


def test_health_tells_the_whole_state_in_plain_values(provider: ScriptedProvider) -> None:
    server = provider.server()
    assert server.verify(provider.token()).subject == "user-1"
    fetched = provider.clock()
    provider.answer(respond(b"", status=500))
    provider.clock.advance(599)
    server.verify(provider.token())
    until(lambda: health(server)["last_failure"] is not None)
    provider.clock.advance(11)
    told = health(server)
    assert told.pop("last_failure").items() >= {"at": fetched + 599, "reason": "http_status"}.items()
    assert told == {
        "state": "stale",
        "age": 610,
        "keys": len(provider.issuer.jwks()["keys"]),
        "kids": [key["kid"] for key in provider.issuer.jwks()["keys"]],
        "last_success": fetched,
        "next_refresh": fetched + 599 + COOLDOWN,
    }


def test_health_fetches_nothing_and_waits_for_nobody(provider: ScriptedProvider) -> None:
    server = several(provider, "one", "two")
    assert set(server.health()["providers"]) == {"one", "two"}
    assert provider.faults.connections == 0


# ------------------------------------------------------------------------------------------------- pinning


def thumbprint(key: SigningKey) -> str:
    """RFC 7638, section 3: SHA-256 of the required members, sorted, without white space."""
    members = {name: value for name, value in key.public_jwk().items() if name in {"kty", "crv", "x"}}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def test_only_pinned_keys_verify(provider: ScriptedProvider) -> None:
    pinned, other = signing_key("Ed25519"), signing_key("Ed25519")
    provider.answer(respond({"keys": [other.public_jwk(), pinned.public_jwk()]}))
    server = provider.server(pinned_thumbprints=[thumbprint(pinned)])
    assert verify(server, provider.token(key=pinned)).subject == "user-1"
    with pytest.raises(InvalidToken) as caught:
        verify(server, provider.token(key=other))
    assert caught.value.reason == "unknown_key"
    assert health(server)["kids"] == [pinned.kid]


def test_a_key_set_without_a_pinned_key_changes_nothing(provider: ScriptedProvider) -> None:
    pinned, other = signing_key("Ed25519"), signing_key("Ed25519")
    provider.answer(respond({"keys": [pinned.public_jwk()]}), respond({"keys": [other.public_jwk()]}))
    server = provider.server(pinned_thumbprints=[thumbprint(pinned)])
    assert verify(server, provider.token(key=pinned)).subject == "user-1"
    provider.clock.advance(599)
    assert verify(server, provider.token(key=pinned)).subject == "user-1"
    until(lambda: health(server)["last_failure"] is not None)
    assert health(server)["last_failure"]["reason"] == "no_pinned_key"
    assert verify(server, provider.token(key=pinned)).subject == "user-1"


def test_without_any_pinned_key_there_are_no_keys(provider: ScriptedProvider) -> None:
    server = provider.server(pinned_thumbprints=[thumbprint(signing_key("Ed25519"))])
    with pytest.raises(ProviderUnavailable):
        verify(server, provider.token())
    assert health(server)["last_failure"]["reason"] == "no_pinned_key"
