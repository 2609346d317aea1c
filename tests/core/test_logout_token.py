"""The checks of a logout token: what it has to say, and what keeps tokens of other kinds out."""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import InvalidToken
from bearerguard._core.logout_token import EVENT, TYPES, compose_logout_checks, logout_in
from bearerguard._limits import LOGOUT_TOKEN_AGE

NOW = 1_700_000_000.0
GOOD: dict[str, Any] = {
    "iss": "https://login.example",
    "aud": "orders-web",
    "iat": NOW,
    "exp": NOW + 120,
    "jti": "1",
    "events": {EVENT: {}},
    "sub": "ada",
    "sid": "s1",
}
ABSENT = object()


def claims(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**GOOD, **changes}.items() if value is not ABSENT}


def checked(said: dict[str, Any], now: float = NOW, **options: Any) -> float:
    options = {"leeway": 10, "client_id": "orders-web", "requires_exp": True, **options}
    return compose_logout_checks(**options)(said, now)


def reason(now: float = NOW, options: Any = None, **changes: Any) -> str | None:
    try:
        checked(claims(**changes), now, **(options or {}))
    except InvalidToken as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exp": NOW - 10}, "The token has expired."),
        ({"exp": "1"}, "The token's 'exp' claim is not a date."),
        ({"iat": NOW - LOGOUT_TOKEN_AGE - 10}, "The token has expired."),
        ({"iat": NOW + 11}, "The token was issued in the future."),
        ({"iat": "1"}, "The token's 'iat' claim is not a date."),
        ({"events": {}}, "The token's 'events' claim is malformed."),
        ({"nonce": "x"}, "The token has a nonce, so it is not a logout token."),
        ({"sub": ABSENT, "sid": ABSENT}, "The token has no 'sub' claim."),
    ],
)
def test_a_refusal_says_what_is_wrong_in_a_whole_sentence(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        checked(claims(**changes))
    assert str(refused.value) == said


def test_a_good_logout_token_holds_until_it_expires() -> None:
    assert checked(claims()) == NOW + 130
    assert checked(claims(exp=NOW + 9999)) == NOW + LOGOUT_TOKEN_AGE + 10


@pytest.mark.parametrize("audience", ["orders-web", ["orders-web"], ["other", "orders-web"]])
def test_b2_its_audience_contains_the_client_that_the_provider_tells(audience: Any) -> None:
    assert reason(aud=audience) is None


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        ("https://api.example", "audience"),
        ([], "audience"),
        (ABSENT, "missing_claim"),
        (7, "invalid_claim"),
        (["orders-web", 7], "invalid_claim"),
    ],
)
def test_b2_the_audience_of_the_api_or_of_nobody_will_not_do(audience: Any, expected: str) -> None:
    assert reason(aud=audience) == expected


def test_b3_iat_is_required_and_not_long_ago_and_not_ahead() -> None:
    assert reason(iat=ABSENT) == "missing_claim"
    assert reason(iat="1") == "invalid_claim"
    assert reason(iat=NOW + 10) is None
    assert reason(iat=NOW + 11) == "not_yet_valid"
    assert reason(iat=NOW - LOGOUT_TOKEN_AGE - 9, exp=NOW + 9) is None
    assert reason(iat=NOW - LOGOUT_TOKEN_AGE - 10, exp=NOW + 9) == "expired"


def test_b3_exp_is_required_unless_the_program_says_otherwise() -> None:
    assert reason(exp=ABSENT) == "missing_claim"
    assert reason(exp=None) == "missing_claim"
    assert reason(options={"requires_exp": False}, exp=ABSENT) is None
    assert reason(exp="1") == "invalid_claim"
    assert reason(exp=NOW - 9) is None
    assert reason(exp=NOW - 10) == "expired"
    assert reason(options={"requires_exp": False}, exp=NOW - 10) == "expired", "where it is there, it counts"


@pytest.mark.parametrize(("token_id", "expected"), [(ABSENT, "missing_claim"), (7, "invalid_claim")])
def test_b3_jti_is_required(token_id: Any, expected: str) -> None:
    assert reason(jti=token_id) == expected


def test_b3_the_type_may_be_absent_or_jwt_or_logout_jwt_and_nothing_else() -> None:
    assert {None, "jwt", "logout+jwt"} == TYPES


@pytest.mark.parametrize("event", [None, [], "x", 1, True])
def test_b4_the_event_is_an_object(event: Any) -> None:
    assert reason(events={EVENT: event}) == "invalid_claim"
    assert reason(events=event) == ("missing_claim" if event is None else "invalid_claim")


def test_b4_another_event_is_not_this_one_and_members_beside_it_do_no_harm() -> None:
    assert reason(events={"https://other.example/event": {}}) == "invalid_claim"
    assert reason(events={EVENT: {"reason": "x"}, "https://other.example/event": 1}) is None


def test_b5_it_names_a_subject_or_a_session_or_both() -> None:
    assert reason(sub=ABSENT) is None
    assert reason(sid=ABSENT) is None
    assert reason(sub=ABSENT, sid=ABSENT) == "missing_claim"
    assert reason(sub="", sid="") == "missing_claim"


@pytest.mark.parametrize("name", ["sub", "sid"])
@pytest.mark.parametrize("strange", [7, True, ["x"], {"x": 1}])
def test_b5_a_name_that_is_not_text_is_refused(name: str, strange: Any) -> None:
    assert reason(**{name: strange}) == "invalid_claim"


@pytest.mark.parametrize("nonce", ["x", None, ""])
def test_b5_a_nonce_makes_it_an_id_token(nonce: Any) -> None:
    assert reason(nonce=nonce) == "type"


def test_checks_of_few_providers_are_made_too() -> None:
    def refuse(_: Any) -> None:
        raise InvalidToken("issuer", "Another tenant.")

    assert reason(options={"also": (refuse,)}) == "issuer"


def test_b9_a_session_is_named_alone_and_a_user_only_without_one() -> None:
    both = logout_in(claims(iat=NOW + 0.7), NOW + 1)
    assert (both.kind, both.value, both.at, both.token_id) == ("sid", "s1", int(NOW), "1")
    one = logout_in(claims(sid=ABSENT), NOW + 1)
    assert (one.kind, one.value) == ("sub", "ada")
