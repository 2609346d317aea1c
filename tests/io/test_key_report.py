from __future__ import annotations

import json
from math import inf
from typing import Any

import pytest

from bearerguard import ConfigurationError
from bearerguard._flows.key_fetch import Called, Origin, Published
from bearerguard._io.key_report import VERSION, entries_of, export, health_of, restore
from bearerguard._io.remote_keys import Failure, RemoteKeySource
from bearerguard._io.static_keys import StaticKeySource
from bearerguard._jose.key_material import read_keys
from bearerguard._jose.key_set import KeyIndex, KeySet, dated
from bearerguard.testing import Clock, signing_key

NOW = 1_700_000_000.0
KEY, OTHER = signing_key("P-256"), signing_key("Ed25519")
BY_FUNCTION = Called(dict)


def keys(*jwks: Any) -> KeyIndex:
    return KeyIndex(read_keys(list(jwks or (KEY.public_jwk(), OTHER.public_jwk())))[0])


def fetched_keys(
    key_set: KeySet | None = None, origin: Origin = BY_FUNCTION, lifetime: float | None = None
) -> RemoteKeySource:
    source = RemoteKeySource(origin, clock=Clock(NOW), client=None, lifetime=lifetime, chance=lambda: 0.0)
    if key_set is not None:
        source.adopt(key_set)
    return source


def at_age(seconds: float, lifetime: float = 600.0) -> KeySet:
    return dated(
        keys(),
        fetched_at=NOW - seconds,
        lifetime=lifetime,
        chance=0.0,
        etag='"1"',
        address="https://issuer.test/jwks",
        is_whole=True,
    )


# -- health


def test_before_the_first_fetch_there_is_nothing_to_tell_but_that_one_may_start() -> None:
    assert health_of(fetched_keys(), NOW) == {
        "state": "none",
        "age": None,
        "keys": 0,
        "kids": [],
        "last_success": None,
        "last_failure": None,
        "next_refresh": NOW,
    }


def test_fetched_keys_tell_their_age_and_their_names() -> None:
    report = health_of(fetched_keys(at_age(60)), NOW)
    assert report == {
        "state": "fresh",
        "age": 60,
        "keys": 2,
        "kids": [KEY.kid, OTHER.kid],
        "last_success": NOW - 60,
        "last_failure": None,
        "next_refresh": pytest.approx(NOW + 420),
    }
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize(
    ("age", "state"), [(0, "fresh"), (599, "fresh"), (600, "stale"), (4199, "stale"), (4200, "none")]
)
def test_keys_are_fresh_for_their_lifetime_then_stale_then_none(age: float, state: str) -> None:
    assert health_of(fetched_keys(at_age(age)), NOW)["state"] == state


def test_keys_for_ever_have_no_next_refresh() -> None:
    report = health_of(fetched_keys(at_age(1e6, lifetime=inf)), NOW)
    assert (report["state"], report["next_refresh"]) == ("fresh", None)


def test_a_failure_is_told_with_its_reason() -> None:
    source = fetched_keys()
    source.last_failure = Failure(NOW - 5, "timeout", "no answer")
    report = health_of(source, NOW)
    assert report["last_failure"] == {"at": NOW - 5, "reason": "timeout", "message": "no answer"}


def test_an_age_is_never_negative() -> None:
    assert health_of(fetched_keys(at_age(-5)), NOW)["age"] == 0


def test_given_keys_are_fixed_and_have_no_age() -> None:
    unnamed = {name: value for name, value in KEY.public_jwk().items() if name != "kid"}
    report = health_of(StaticKeySource(KeySet(keys(unnamed))), NOW)
    assert (report["state"], report["age"], report["keys"], report["kids"]) == ("fixed", None, 1, [None])
    assert json.dumps(report)


# -- export and restore


@pytest.mark.parametrize("lifetime", [600.0, inf])
def test_what_was_exported_comes_back_through_json_as_it_was(lifetime: float) -> None:
    before = at_age(60, lifetime)
    entry = json.loads(json.dumps(export(fetched_keys(before))))
    source = fetched_keys(lifetime=lifetime)
    assert restore(source, entry, "login")
    after = source.key_set
    assert after is not None
    assert [key.identity for key in after.keys.all] == [key.identity for key in before.keys.all]
    assert (after.fetched_at, after.lifetime, after.etag, after.address) == (
        before.fetched_at,
        before.lifetime,
        before.etag,
        before.address,
    )


def test_the_algorithm_that_a_key_is_bound_to_survives_the_export() -> None:
    bound = KeySet(keys({**OTHER.public_jwk(), "alg": "EdDSA"}), fetched_at=NOW)
    source = fetched_keys()
    assert restore(source, export(fetched_keys(bound)), "login")
    assert source.key_set is not None
    assert [set(key.verifiers) for key in source.key_set.keys.all] == [{"EdDSA"}]


def test_without_keys_there_is_nothing_to_export() -> None:
    assert export(fetched_keys()) is None


def test_newer_keys_in_hand_are_not_replaced_by_older_ones() -> None:
    source = fetched_keys(at_age(10))
    in_hand = source.key_set
    assert restore(source, export(fetched_keys(at_age(60))), "login")
    assert source.key_set is in_hand


def test_keys_from_elsewhere_are_not_taken_over() -> None:
    source = fetched_keys(origin=Published("https://another.test/jwks"))
    assert not restore(source, export(fetched_keys(at_age(60))), "login")
    assert source.key_set is None


def test_of_restored_keys_the_pinned_ones_are_taken_over() -> None:
    entry = export(fetched_keys(at_age(60)))
    pinned = fetched_keys(origin=Called(dict, pinned={keys().all[0].thumbprint}))
    assert restore(pinned, entry, "login")
    assert pinned.key_set is not None
    assert [key.kid for key in pinned.key_set.keys.all] == [KEY.kid]
    assert not restore(fetched_keys(origin=Called(dict, pinned={"another"})), entry, "login")


def test_a_number_that_no_clock_shows_is_not_a_date() -> None:
    entry = {**(export(fetched_keys(at_age(60))) or {}), "fetched_at": 10**400}
    with pytest.raises(ConfigurationError, match="'login'"):
        restore(fetched_keys(), entry, "login")


def test_the_entries_of_an_export_are_found_by_provider() -> None:
    assert entries_of({"version": VERSION, "providers": {"login": {}}}) == {"login": {}}
