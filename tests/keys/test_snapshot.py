"""`snapshot()` carries key sets across a restart, with the age that they have."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from bearerguard import ConfigurationError, InvalidToken, ProviderUnavailable, ResourceServer
from bearerguard._jose.jwk import import_jwk
from bearerguard.testing import signing_key
from tests.faults.fault_server import with_etag
from tests.faults.scripted_provider import ScriptedProvider, health, until, verify

LIFETIME, STALE = 600.0, 3600.0


def exported(server: ResourceServer) -> dict[str, Any]:
    """What comes out of a file that `snapshot` was written to."""
    carried: dict[str, Any] = json.loads(json.dumps(server.snapshot()))
    return carried


def thumbprint(jwk: dict[str, str]) -> str:
    return import_jwk(jwk, allow_secret=False).thumbprint


def warm(provider: ScriptedProvider, **overrides: Any) -> ResourceServer:
    """One that nobody shares its keys with once it is gone: the thread that fetched them would hold them."""
    server = provider.server(**overrides)
    server.warm_up()
    until(lambda: not [one for one in threading.enumerate() if one.name.startswith("bearerguard refresh")])
    return server


@pytest.mark.parametrize("discovered", [False, True], ids=["by URL", "discovered"])
def test_imported_keys_serve_without_a_fetch_at_the_age_they_have(
    provider: ScriptedProvider, discovered: bool
) -> None:
    before = warm(provider, discovered=discovered)
    keys = exported(before)
    asked = len(provider.faults.requests)
    provider.faults.refuse()
    provider.clock.advance(100)

    after = provider.server(discovered=discovered, imported=keys)
    assert verify(after, provider.token()).subject == "user-1"
    assert health(after)["age"] == 100
    assert health(after)["kids"] == health(before)["kids"]
    assert health(after)["last_success"] == health(before)["last_success"]
    assert len(provider.faults.requests) == asked


def test_imported_keys_fall_due_when_they_would_have(provider: ScriptedProvider) -> None:
    provider.publish(headers=[("Cache-Control", "max-age=1200")])
    keys = exported(warm(provider))
    provider.clock.advance(900)
    after = provider.server(imported=keys)
    assert verify(after, provider.token()).subject == "user-1"
    assert provider.fetches == 1
    provider.clock.advance(250)
    assert verify(after, provider.token()).subject == "user-1"
    until(lambda: health(after)["age"] == 0)
    assert provider.fetches == 2


def test_imported_keys_that_are_too_old_are_not_used(provider: ScriptedProvider) -> None:
    keys = exported(warm(provider))
    provider.faults.refuse()
    provider.clock.advance(LIFETIME + STALE - 1)
    assert verify(provider.server(imported=keys), provider.token()).subject == "user-1"
    provider.clock.advance(1)
    with pytest.raises(ProviderUnavailable):
        verify(provider.server(name="later", imported=renamed(keys, "later")), provider.token())


def renamed(keys: dict[str, Any], name: str) -> dict[str, Any]:
    (entry,) = keys["providers"].values()
    return {**keys, "providers": {name: entry}}


def test_imported_keys_are_refreshed_with_the_etag_they_had(provider: ScriptedProvider) -> None:
    provider.answer(with_etag(provider.issuer.jwks()))
    keys = exported(warm(provider))
    provider.clock.advance(599)
    after = provider.server(imported=keys)
    verify(after, provider.token())
    until(lambda: health(after)["age"] == 0)
    assert provider.faults.requests[-1].headers["if-none-match"] == '"v1"'


def test_pins_that_are_widened_find_the_keys_that_were_pinned_away(provider: ScriptedProvider) -> None:
    """Under its old validator the provider would answer 304, and the keys would stay hidden."""
    one, other = provider.issuer.signing_key, signing_key("Ed25519")
    jwks = {"keys": [one.public_jwk(), other.public_jwk()]}
    provider.answer(with_etag(jwks))
    pins = [thumbprint(key.public_jwk()) for key in (one, other)]
    keys = exported(warm(provider, pinned_thumbprints=pins[:1]))
    after = provider.server(imported=keys, pinned_thumbprints=pins)
    assert verify(after, provider.token(key=one)).subject == "user-1"
    assert verify(after, provider.token(key=other)).subject == "user-1"


def test_pins_that_are_narrowed_and_widened_again_find_them_too(provider: ScriptedProvider) -> None:
    one, other = provider.issuer.signing_key, signing_key("Ed25519")
    provider.answer(with_etag({"keys": [one.public_jwk(), other.public_jwk()]}))
    pins = [thumbprint(key.public_jwk()) for key in (one, other)]
    whole = exported(warm(provider))
    narrowed = exported(provider.server(imported=whole, pinned_thumbprints=pins[:1]))
    widened = provider.server(imported=narrowed, pinned_thumbprints=pins)
    assert verify(widened, provider.token(key=other)).subject == "user-1"


def test_a_key_that_another_version_could_not_use_is_not_hidden_by_a_validator(
    provider: ScriptedProvider,
) -> None:
    jwks = provider.issuer.jwks()
    provider.answer(with_etag({"keys": [*jwks["keys"], {**jwks["keys"][0], "kty": "new"}]}))
    (entry,) = exported(warm(provider))["providers"].values()
    assert entry["etag"] is None


def test_a_validator_of_an_earlier_export_which_says_nothing_of_that_is_not_used(
    provider: ScriptedProvider,
) -> None:
    provider.answer(with_etag(provider.issuer.jwks()))
    keys = exported(warm(provider))
    (entry,) = keys["providers"].values()
    del entry["is_whole"]
    provider.clock.advance(599)
    after = provider.server(imported=keys)
    verify(after, provider.token())
    until(lambda: health(after)["age"] == 0)
    assert "if-none-match" not in provider.faults.requests[-1].headers


@pytest.mark.parametrize("etag", ['"caf\xe9"', '"a\nb"', "a" * 2000], ids=ascii)
def test_a_validator_that_cannot_be_sent_back_is_left_out_of_what_is_imported(
    provider: ScriptedProvider, etag: str
) -> None:
    keys = exported(warm(provider))
    (entry,) = keys["providers"].values()
    entry["etag"] = etag
    provider.issuer.rotate(overlap=False)
    provider.publish()
    after = provider.server(imported=keys)
    assert verify(after, provider.token()).subject == "user-1"


def test_keys_exported_by_an_imported_server_are_the_same(provider: ScriptedProvider) -> None:
    keys = exported(warm(provider))
    provider.faults.refuse()
    assert exported(provider.server(imported=keys)) == keys


def test_an_export_holds_only_public_keys(provider: ScriptedProvider) -> None:
    keys = provider.issuer.jwks()["keys"]
    text = json.dumps(exported(warm(provider)))
    for secret in ("d", "p", "q", "dp", "dq", "qi", "k"):
        assert f'"{secret}":' not in text
    assert all(key["kid"] in text for key in keys)


def test_a_server_that_has_fetched_nothing_exports_nothing(provider: ScriptedProvider) -> None:
    server = provider.server()
    assert exported(server)["providers"] == {}
    assert verify(provider.server(imported=exported(server)), provider.token()).subject == "user-1"


def test_keys_of_another_address_are_not_taken_over(
    provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    keys = exported(warm(provider))
    after = provider.server(keys=provider.faults.url("/elsewhere"), imported=keys)
    assert health(after)["state"] == "none"
    assert "ignored exported keys" in caplog.text


def test_pinned_thumbprints_hold_for_imported_keys_too(provider: ScriptedProvider) -> None:
    keys = exported(warm(provider))
    after = provider.server(pinned_thumbprints=["A" * 43], imported=keys)
    assert health(after)["state"] == "none"


def test_a_snapshot_from_a_clock_that_went_ahead_does_not_keep_keys_for_longer(
    provider: ScriptedProvider,
) -> None:
    """Else a wrong date in a file would keep withdrawn keys alive for as long as it is wrong."""
    keys = exported(warm(provider))
    provider.clock.advance(-86_400)
    provider.issuer.rotate(overlap=False)
    provider.publish()
    after = provider.server(imported=keys)
    provider.clock.advance(LIFETIME + STALE)
    assert health(after)["state"] == "none"


@pytest.mark.parametrize("fetched_at", [float("nan"), float("inf"), -float("inf")])
def test_a_snapshot_without_a_date_is_not_a_snapshot(provider: ScriptedProvider, fetched_at: float) -> None:
    keys = exported(warm(provider))
    (entry,) = keys["providers"].values()
    entry["fetched_at"] = fetched_at
    with pytest.raises(ConfigurationError):
        provider.server(imported=keys)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"version": 99, "providers": {}},
        {"version": 1},
        {"version": 1, "providers": []},
        [],
        "text",
    ],
    ids=repr,
)
def test_what_was_never_exported_is_a_configuration_error(provider: ScriptedProvider, broken: Any) -> None:
    with pytest.raises(ConfigurationError):
        provider.server(imported=broken)


@pytest.mark.parametrize(
    "change",
    [
        {"keys": []},
        {"keys": "text"},
        {"keys": [{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}]},
        {"fetched_at": "yesterday"},
        {"lifetime": "long"},
        {"lifetime": -1},
        {"etag": 5},
    ],
    ids=repr,
)
def test_a_broken_entry_is_a_configuration_error_that_names_the_provider(
    provider: ScriptedProvider, change: dict[str, Any]
) -> None:
    keys = exported(warm(provider))
    (name,) = keys["providers"]
    keys["providers"][name].update(change)
    with pytest.raises(ConfigurationError, match=name):
        provider.server(imported=keys)


def test_keys_given_as_an_object_never_grow_old_and_are_not_exported(provider: ScriptedProvider) -> None:
    server = provider.server(keys=provider.issuer.jwks())
    provider.clock.advance(10 * 365 * 86_400)
    assert verify(server, provider.token()).subject == "user-1"
    assert health(server)["state"] == "fixed"
    assert exported(server)["providers"] == {}
    provider.issuer.rotate()
    with pytest.raises(InvalidToken):
        verify(server, provider.token())
    assert provider.faults.connections == 0
