"""The list of what was revoked: whom an entry names, what it refuses, and when it may be forgotten."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from bearerguard import InvalidToken
from bearerguard._core.denylist import (
    OF_MANY,
    Denylist,
    Described,
    Entry,
    Kind,
    ends_with,
    named,
    plain_name,
    single,
)
from bearerguard._limits import FORGOTTEN_AT_ONCE, MAX_LEEWAY

NOW = 1_700_000_000.0
HORIZON = 3600.0
US = "https://login.example"
Y: Any = "y"


def described(
    issuer: str = US, *, text: bytes = b"h.p.s", is_opaque: bool = False, **claims: Any
) -> Described:
    claims = {"iat": int(NOW) - 10, **claims}
    claims = {name: value for name, value in claims.items() if value is not None}
    return Described(issuer, claims, claims.get("client_id"), text, is_opaque)


def listing(*entries: tuple[Kind, str], at: float = NOW, issuer: str = US) -> Denylist:
    found = Denylist(HORIZON)
    for kind, value in entries:
        assert found.add(Entry(named(plain_name, kind, issuer, value), int(at)), NOW)
    return found


def refused(denylist: Denylist, token: Described, now: float = NOW) -> str | None:
    try:
        denylist.refuse(token, now)
    except InvalidToken as error:
        return error.reason
    return None


# -- V-1: what an entry names ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "claims"),
    [
        ("jti", {"jti": "x"}),
        ("sub", {"sub": "x"}),
        ("sid", {"sid": "x"}),
        ("client", {"client_id": "x"}),
    ],
)
def test_v1_an_entry_names_a_token_a_subject_a_session_or_a_client(kind: Kind, claims: Any) -> None:
    entries = listing((kind, "x"))
    assert refused(entries, described(**claims)) == "revoked"
    assert refused(entries, described(**dict.fromkeys(claims, Y))) is None
    assert refused(entries, described()) is None


def test_v1_an_entry_names_all_that_an_issuer_has_issued() -> None:
    assert refused(listing(("all", "")), described(jti="a", sub="b")) == "revoked"


@pytest.mark.parametrize("kind", ["jti", "sub", "sid", "client", "all"])
def test_v1_a_name_is_one_of_its_issuer(kind: Kind) -> None:
    value = "" if kind == "all" else "x"
    entries = listing((kind, value))
    claims: dict[str, Any] = {"jti": "x", "sub": "x", "sid": "x", "client_id": "x"}
    assert refused(entries, described(**claims)) == "revoked"
    assert refused(entries, described("https://other.example", **claims)) is None


def test_no_two_names_are_alike_however_their_parts_are_cut() -> None:
    names = {
        named(plain_name, kind, issuer, value)
        for kind in ("jti", "sub", "sid", "client", "all", "signed", "text")
        for issuer, value in [
            ("a", "bc"),
            ("ab", "c"),
            ("abc", ""),
            ("", "abc"),
            ('a","b', "c"),
            ("a", 'b","c'),
        ]
    }
    assert len(names) == 7 * 6


def test_no_name_shows_whom_it_names() -> None:
    name = named(plain_name, "sub", US, "ada")
    assert b"ada" not in name
    assert len(name) == 16


def test_a_value_with_half_a_character_has_no_name() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        named(plain_name, "sub", US, "\ud800")


# -- V-2: nothing issued up to T -------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(OF_MANY))
def test_v2_what_is_issued_in_the_second_of_t_is_refused_and_later_ones_are_not(kind: Kind) -> None:
    claims: dict[str, Any] = {"sub": "x", "sid": "x", "client_id": "x"}
    entries = listing((kind, "" if kind == "all" else "x"), at=NOW - 100)
    for issued, reason in [(-101, "revoked"), (-100, "revoked"), (-99.5, None), (-99, None)]:
        assert refused(entries, described(**claims, iat=NOW + issued)) == reason


@pytest.mark.parametrize("kind", sorted(OF_MANY))
def test_v2_a_token_whose_age_nobody_knows_is_refused_with_the_others(kind: Kind) -> None:
    entries = listing((kind, "" if kind == "all" else "x"), at=NOW - 100)
    token = described(sub="x", sid="x", client_id="x", iat=None, is_opaque=True)
    assert refused(entries, token) == "revoked"


def test_a_token_that_is_named_itself_is_refused_whenever_it_was_issued() -> None:
    entries = listing(("jti", "x"), at=NOW - 100)
    assert refused(entries, described(jti="x", iat=NOW)) == "revoked"


@pytest.mark.parametrize("strange", [7, True, ["x"], {"x": 1}])
def test_a_claim_that_is_not_text_names_nobody(strange: Any) -> None:
    entries = listing(("sub", "x"), ("sid", "x"), ("jti", "x"), ("client", "x"))
    assert refused(entries, described(sub=strange, sid=strange, jti=strange, is_opaque=True)) is None


# -- V-5: what names a token alone -----------------------------------------------------------------


def test_v5_a_token_without_jti_is_named_by_what_is_signed_of_it_in_any_form_of_its_signature() -> None:
    entries = listing(("signed", sha256(b"head.payload").hexdigest()))
    assert refused(entries, described(text=b"head.payload.one")) == "revoked"
    assert refused(entries, described(text=b"head.payload.another")) == "revoked"
    assert refused(entries, described(text=b"head.other.one")) is None


@pytest.mark.parametrize("empty", ["", None])
def test_v5_an_empty_jti_names_nothing(empty: Any) -> None:
    assert single(described(jti=empty)) == ("signed", sha256(b"h.p").hexdigest())


def test_v5_an_opaque_token_is_named_by_its_text_and_by_the_jti_that_its_provider_says() -> None:
    token = described(text=b"opaque", jti="x", is_opaque=True)
    assert single(token) == ("text", sha256(b"opaque").hexdigest())
    assert refused(listing(("text", sha256(b"opaque").hexdigest())), token) == "revoked"
    assert refused(listing(("jti", "x")), token) == "revoked"
    assert refused(listing(("jti", "y")), token) is None


# -- the horizon -----------------------------------------------------------------------------------


def test_a_token_older_than_the_horizon_is_refused_with_an_empty_list_too() -> None:
    empty = Denylist(HORIZON)
    assert refused(empty, described(iat=NOW - HORIZON + 1)) is None
    assert refused(empty, described(iat=NOW - HORIZON)) == "too_old"


def test_a_jwt_without_iat_is_refused_as_nobody_knows_its_age() -> None:
    assert refused(Denylist(HORIZON), described(iat=None)) == "too_old"


def test_an_opaque_token_without_iat_is_left_to_its_provider() -> None:
    assert refused(Denylist(HORIZON), described(iat=None, is_opaque=True)) is None


def test_what_was_found_holds_until_the_token_is_too_old() -> None:
    assert ends_with(HORIZON, {"iat": NOW}) == NOW + HORIZON
    assert ends_with(HORIZON, {}) == float("inf")


def test_the_refusal_says_how_old_a_token_may_be() -> None:
    with pytest.raises(InvalidToken, match=r"issued more than 48 h ago"):
        Denylist(48 * 3600.0).refuse(described(iat=0), NOW)


def test_a_refusal_says_what_is_wrong_in_a_whole_sentence() -> None:
    with pytest.raises(InvalidToken) as too_old:
        Denylist(HORIZON).refuse(described(iat=None), NOW)
    assert str(too_old.value) == "The token does not say when it was issued ('iat')."
    with pytest.raises(InvalidToken) as revoked:
        listing(("jti", "x")).refuse(described(jti="x"), NOW)
    assert str(revoked.value) == "The token was revoked."


# -- what is forgotten, and when ---------------------------------------------------------------------


def test_an_entry_is_forgotten_only_when_no_token_that_it_refuses_could_be_accepted() -> None:
    entries = listing(("sub", "x"))
    issued_last = described(sub="x", iat=NOW)
    for minute in range(200):
        now = NOW + 60 * minute
        entries.forget(now)
        expected = "revoked" if now < NOW + HORIZON else "too_old"
        assert refused(entries, issued_last, now) == expected
    assert len(entries) == 0


def test_an_entry_outlives_a_token_whose_issuer_and_whose_reader_have_clocks_that_differ() -> None:
    entries = listing(("jti", "x"))
    last = NOW + HORIZON + 2 * MAX_LEEWAY
    entries.forget(last - 1)
    assert refused(entries, described(jti="x", iat=NOW + MAX_LEEWAY), NOW + HORIZON) == "revoked"
    entries.forget(last + 60)
    assert len(entries) == 0


def test_an_entry_is_forgotten_in_the_very_second_in_which_its_bundle_ends() -> None:
    entries = listing(("jti", "x"))
    ends = -(-int(NOW + HORIZON + 2 * MAX_LEEWAY) // 60) * 60
    entries.forget(ends - 0.5)
    assert len(entries) == 1
    entries.forget(ends)
    assert len(entries) == 0


def test_what_was_heard_is_not_taken_back_by_an_earlier_entry_of_the_same_name() -> None:
    entries = listing(("sub", "x"), at=NOW - 10)
    assert entries.add(Entry(named(plain_name, "sub", US, "x"), int(NOW) - 500), NOW)
    assert refused(entries, described(sub="x", iat=NOW - 20)) == "revoked"


def test_of_two_entries_of_the_same_name_the_later_one_stays_for_its_whole_time() -> None:
    name = named(plain_name, "sub", US, "x")
    entries = listing(("sub", "x"), at=NOW - 3000)
    entries.add(Entry(name, int(NOW)), NOW)
    entries.forget(NOW - 3000 + HORIZON + 2 * MAX_LEEWAY + 60)  # when the first would have gone
    assert len(entries) == 1
    entries.forget(NOW + HORIZON + 2 * MAX_LEEWAY + 60)
    assert len(entries) == 0


def test_what_is_over_is_forgotten_a_few_at_a_time() -> None:
    count = 3 * FORGOTTEN_AT_ONCE
    entries = listing(*(("jti", str(number)) for number in range(count)))
    later = NOW + HORIZON + 2 * MAX_LEEWAY + 60
    entries.add(Entry(b"new", int(later)), later)
    assert len(entries) == count - FORGOTTEN_AT_ONCE + 1


def test_a_change_is_seen_by_a_new_version() -> None:
    entries = Denylist(HORIZON)
    before = entries.version
    entries.add(Entry(b"name", int(NOW)), NOW)
    after = entries.version
    assert after is not before
    for at in (int(NOW) - 1, int(NOW)):
        assert entries.add(Entry(b"name", at), NOW), "it says nothing new"
        assert entries.version is after


# -- full ------------------------------------------------------------------------------------------


def test_a_list_that_is_full_takes_no_further_name_and_forgets_none() -> None:
    entries = Denylist(HORIZON, limit=2)
    states = []
    for name in (b"a", b"b"):
        assert entries.add(Entry(name, int(NOW)), NOW)
        states.append(entries.is_full)
    assert states == [False, True]
    assert not entries.add(Entry(b"c", int(NOW)), NOW)
    assert entries.add(Entry(b"b", int(NOW) + 5), NOW), "a name that is there takes no further place"
    assert len(entries) == 2


def test_a_list_that_was_full_has_place_again_when_entries_are_over() -> None:
    entries = Denylist(HORIZON, limit=2)
    for name in (b"a", b"b"):
        entries.add(Entry(name, int(NOW)), NOW)
    later = NOW + HORIZON + 2 * MAX_LEEWAY + 60
    assert entries.add(Entry(b"c", int(later)), later)
    assert not entries.is_full
