from __future__ import annotations

from math import inf
from typing import Any

import pytest

from bearerguard._jose.jwk import VerificationKey
from bearerguard._jose.key_set import KeyIndex, KeySet, dated, lifetime_of


def key(kid: str | None, *algs: str, thumbprint: str = "") -> VerificationKey:
    """A key that is known by the verify functions it has: one of its own for each algorithm."""
    verifiers = {alg: (lambda _signature, _input, _sha256=None, /: False) for alg in algs}
    return VerificationKey(kid, verifiers, {}, thumbprint)


def test_a_named_key_is_found_by_its_name_and_algorithm() -> None:
    first, second = key("k1", "RS256", "PS256"), key("k2", "RS256")
    keys = KeyIndex([first, second])
    assert keys.named.get(("RS256", "k1"), ()) == (first.verifiers["RS256"],)
    assert keys.named.get(("PS256", "k1"), ()) == (first.verifiers["PS256"],)
    assert keys.named.get(("PS256", "k2"), ()) == ()
    assert keys.named.get(("RS256", "k3"), ()) == ()


def test_keys_that_share_a_name_are_all_found() -> None:
    first, second = key("k1", "RS256"), key("k1", "RS256")
    assert KeyIndex([first, second]).named.get(("RS256", "k1"), ()) == (
        first.verifiers["RS256"],
        second.verifiers["RS256"],
    )


def test_a_token_that_names_no_key_may_be_of_any_that_fits() -> None:
    named, unnamed, other = key("k1", "RS256"), key(None, "RS256"), key("k2", "ES256")
    keys = KeyIndex([named, unnamed, other])
    assert keys.unnamed("RS256", None) == (named.verifiers["RS256"], unnamed.verifiers["RS256"])
    assert keys.unnamed("EdDSA", None) == ()


def test_a_token_that_names_an_absent_key_may_be_of_one_without_a_name() -> None:
    named, unnamed = key("k1", "RS256"), key(None, "RS256")
    assert KeyIndex([named, unnamed]).unnamed("RS256", "k9") == (unnamed.verifiers["RS256"],)
    assert KeyIndex([named]).unnamed("RS256", "k9") == ()


def test_at_most_four_keys_are_tried_for_one_token() -> None:
    many = KeyIndex([key("k1", "RS256") for _ in range(6)] + [key(None, "RS256") for _ in range(6)])
    assert len(many.named.get(("RS256", "k1"), ())) == 4
    assert len(many.unnamed("RS256", "k9")) == 4
    assert len(many.unnamed("RS256", None)) == 4


def named(*names: str | None) -> list[VerificationKey]:
    """Keys for RS256, told apart by their thumbprint."""
    return [key(name, "RS256", thumbprint=f"{number}") for number, name in enumerate(names)]


def test_a_later_answer_of_the_same_keys_keeps_the_object() -> None:
    keys = named("k1", "k2")
    before = KeyIndex(keys)
    assert before.succeeded_by(keys) is before
    # Where all that fit are tried, their order is of no consequence.
    assert before.succeeded_by(reversed(keys)) is before


def test_four_keys_are_tried_in_whatever_order_and_a_fifth_makes_the_order_count() -> None:
    four, five = named(*[None] * 4), named(*[None] * 5)
    assert (before := KeyIndex(four)).succeeded_by(reversed(four)) is before
    before = KeyIndex(five)
    after = before.succeeded_by(reversed(five))
    assert after is not before
    assert list(after.all) == list(reversed(five))
    assert after.unnamed("RS256", None)[0] is five[4].verifiers["RS256"]
    assert before.succeeded_by(five) is before


@pytest.mark.parametrize("place", range(5))
def test_a_key_that_is_new_is_tried_first_wherever_it_was_published(place: int) -> None:
    old, new = named(*[None] * 4), key(None, "RS256", thumbprint="new")
    published = [*old[:place], new, *old[place:]]
    after = KeyIndex(old).succeeded_by(published)
    assert list(after.all) == [new, *old]
    # And it stays so: an answer that brings nothing new changes nothing.
    assert after.succeeded_by(published) is after


def test_of_keys_that_came_one_after_the_other_the_newest_are_tried() -> None:
    published = named(*[None] * 8)
    keys = KeyIndex(published[:4])
    for number in range(5, 9):
        keys = keys.succeeded_by(published[:number])
    assert [one.thumbprint for one in keys.all[:4]] == ["7", "6", "5", "4"]


def test_a_key_that_was_withdrawn_is_new_when_it_comes_back() -> None:
    first, second = named("k1", "k2")
    again = KeyIndex([first, second]).succeeded_by([second]).succeeded_by([second, first])
    assert list(again.all) == [first, second]


def test_more_keys_without_a_name_than_are_tried_are_told() -> None:
    assert KeyIndex(named(*[None] * 4, "k1", "k2")).untried() == ()
    assert KeyIndex([]).untried() == ()
    (told,) = KeyIndex(named(*[None] * 5)).untried()
    assert told == (
        "5 keys without kid fit RS256, and for one token 4 of them are tried, the newest first: "
        "give each a kid"
    )


@pytest.mark.parametrize(
    "other",
    [
        key("k2", "RS256", thumbprint="a"),
        key("k1", "RS256", thumbprint="b"),
        key("k1", "RS256", "PS256", thumbprint="a"),
    ],
    ids=["name", "material", "algorithms"],
)
def test_a_key_that_differs_in_name_material_or_algorithms_is_another(other: VerificationKey) -> None:
    before = KeyIndex([key("k1", "RS256", thumbprint="a")])
    assert before.succeeded_by([other]) is not before


def test_a_key_set_is_replaced_and_never_changed() -> None:
    key_set: Any = KeySet(KeyIndex([]))
    with pytest.raises(AttributeError):
        key_set.usable_until = inf


def test_a_key_set_without_times_never_grows_old() -> None:
    given = KeySet(KeyIndex([]))
    assert (given.fetched_at, given.refresh_at, given.usable_until) == (-inf, inf, inf)


@pytest.mark.parametrize(
    ("max_age", "configured", "lifetime"),
    [
        (None, None, 600),
        (300.0, None, 300),
        (0.0, None, 60),
        (59.0, None, 60),
        (1e9, None, 86_400),
        (300.0, 5.0, 5),
        (None, inf, inf),
    ],
)
def test_the_lifetime_is_what_was_configured_or_what_the_response_says_within_bounds(
    max_age: float | None, configured: float | None, lifetime: float
) -> None:
    assert lifetime_of(max_age, configured) == lifetime


@pytest.mark.parametrize(("chance", "refresh_at"), [(0.0, 1480.0), (1.0, 1540.0)])
def test_a_refresh_is_due_from_four_fifths_of_the_lifetime_with_jitter(
    chance: float, refresh_at: float
) -> None:
    key_set = dated(
        KeyIndex([]), fetched_at=1000.0, lifetime=600.0, chance=chance, etag='"1"', address="https://x"
    )
    assert key_set.refresh_at == pytest.approx(refresh_at)
    assert key_set.usable_until == 1000 + 600 + 3600
    assert (key_set.etag, key_set.address) == ('"1"', "https://x")


def test_a_key_set_of_infinite_lifetime_is_never_due() -> None:
    key_set = dated(KeyIndex([]), fetched_at=1000.0, lifetime=inf, chance=0.5, etag=None, address=None)
    assert key_set.refresh_at == key_set.usable_until == inf


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_dated_set_says_whether_it_is_whole(is_whole: bool) -> None:
    told: dict[str, Any] = {"fetched_at": 0.0, "lifetime": 1.0, "chance": 0.0, "etag": None, "address": None}
    assert dated(KeyIndex([]), **told, is_whole=is_whole).is_whole is is_whole
    assert not dated(KeyIndex([]), **told).is_whole


def test_a_set_without_keys_follows_another_and_is_followed() -> None:
    empty = KeyIndex([])
    assert empty.succeeded_by([]) is empty
    assert empty.succeeded_by([key("k1", "RS256")]).succeeded_by([]).all == ()
