"""Answers of introspection endpoints, read and judged: each row of the checklist by its number."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bearerguard import InvalidToken
from bearerguard._core.introspection_answer import (
    MalformedAnswer,
    agreed,
    check_signed_answer,
    compose_answer_check,
    read_answer,
)

NOW = 1_700_000_000.0
LEEWAY = 10.0
ISSUER = "https://login.example"
API = "https://api.example"
GOOD: dict[str, Any] = {"aud": API, "token_type": "Bearer", "exp": NOW + 600}


def answer(**members: Any) -> bytes:
    return json.dumps({"active": True, **members}).encode()


def judge(claims: dict[str, Any], now: float = NOW, **options: Any) -> None:
    settings: dict[str, Any] = {
        "issuers": (ISSUER,),
        "leeway": LEEWAY,
        "audiences": (API,),
        "audience_claim": "aud",
        "audience_checked_by_issuer": False,
        "required_values": {},
        "refuses_other_kinds": True,
        **options,
    }
    compose_answer_check(**settings)(claims, now)


def reason(claims: dict[str, Any], now: float = NOW, **options: Any) -> str:
    with pytest.raises(InvalidToken) as refused:
        judge(claims, now, **options)
    return refused.value.reason


def malformed(body: bytes) -> str:
    with pytest.raises(MalformedAnswer) as refused:
        read_answer(body)
    return str(refused.value)


# -- reading -----------------------------------------------------------------------------------------


def test_an_answer_is_what_it_says_of_an_active_token_without_active() -> None:
    extra = {"a": [1], "b": "text", "c": {"d": ["text", {"e": "text"}]}}
    assert read_answer(answer(sub="ada", scope="a b", extra=extra)) == {
        "sub": "ada",
        "scope": "a b",
        "extra": extra,
    }


@pytest.mark.parametrize(
    "more", [{}, {"sub": "ada"}, {"exp": "junk", "sub": 7, "aud": {}}, {"iss": None, "token_type": []}]
)
def test_p1_of_a_token_that_is_not_active_nothing_else_is_read(more: dict[str, Any]) -> None:
    assert read_answer(json.dumps({"active": False, **more}).encode()) is None


@pytest.mark.parametrize("active", ["true", "false", 1, 0, None, [], {}, "yes", [True]])
def test_p2_active_is_a_boolean_and_nothing_that_is_like_one(active: Any) -> None:
    assert malformed(json.dumps({"active": active}).encode()) == "active is neither true nor false"


def test_p2_an_answer_without_active_is_malformed() -> None:
    assert malformed(b'{"sub": "ada"}') == "active is neither true nor false"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"true",
        b"[]",
        b'[{"active": true}]',
        b'"active"',
        b'{"active": true',
        b'{"active": true} {}',
        b"<html><title>Log in</title></html>",
        b"active=true",
        b'\xef\xbb\xbf{"active": true}',
        b'{"active": true, "sub": "\xff"}',
        '{"active": true}'.encode("utf-16"),
        b'{"active": true, "n": NaN}',
        b'{"active": true, "a": ' + b"[" * 65 + b"]" * 65 + b"}",
    ],
)
def test_p3_what_is_not_a_json_object_is_malformed(body: bytes) -> None:
    problems = ("not JSON", "not a JSON object", "nested too deep")
    assert malformed(body) in [f"the answer is {problem}" for problem in problems]


@pytest.mark.parametrize(
    "body",
    [
        b'{"active": true, "active": true}',
        b'{"active": false, "active": false}',
        b'{"active": false, "active": true}',
        b'{"active": true, "sub": "ada", "sub": "eve"}',
        b'{"active": true, "cnf": {"jkt": "a", "jkt": "b"}}',
        b'{"active": true, "s\\u0075b": "ada", "sub": "eve"}',
    ],
)
def test_p3_an_answer_that_names_a_member_twice_is_malformed_unlike_a_token(body: bytes) -> None:
    assert malformed(body) == "the answer names a member twice"


@pytest.mark.parametrize("text", ['"', '""', "\\", '\\"', '"\\', '\\\\"', 'a"b', "a\\"], ids=ascii)
def test_p3_a_quote_or_a_backslash_in_a_text_hides_no_member_and_makes_none(text: str) -> None:
    assert read_answer(answer(sub=text, **{text: "x"})) == {"sub": text, text: "x"}
    written = json.dumps(text)
    twice = f'{{"active": true, "sub": {written}, "sub": {written}, "more": {written}}}'
    assert malformed(twice.encode()) == "the answer names a member twice"


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value", ["1700000600", True, False, None, [], {}, 2**53 + 2, -(2**53) - 2, 1e300, 10**400]
)
def test_p6_a_date_is_a_number_and_null_is_not_one(name: str, value: Any) -> None:
    assert malformed(answer(**{name: value})) == f"{name} is not a date"


@pytest.mark.parametrize("value", [2**53, -(2**53), 0, 1.5])
def test_p6_any_number_that_is_exact_is_a_date(value: float) -> None:
    assert read_answer(answer(iat=value), "aud") == {"iat": value}


@pytest.mark.parametrize(
    "name", ["iss", "sub", "client_id", "username", "jti", "token_type", "token_use", "typ"]
)
@pytest.mark.parametrize("value", [7, True, [], ["ada"], {}, 1.5])
def test_p19_a_member_that_is_text_is_a_string(name: str, value: Any) -> None:
    assert malformed(answer(**{name: value})) == f"{name} is not text"


@pytest.mark.parametrize("value", [7, True, {}, [7], ["a", None], [["a"]], {"a": 1}])
def test_p13_and_p18_an_audience_and_a_scope_are_text_or_a_list_of_texts(value: Any) -> None:
    for name in ("aud", "scope"):
        assert malformed(answer(**{name: value})) == f"{name} is neither text nor a list of texts"


def test_p13_the_audience_is_where_the_provider_says() -> None:
    assert read_answer(answer(aud=7), "resource") == {"aud": 7}
    with pytest.raises(MalformedAnswer, match="resource is neither"):
        read_answer(answer(resource=7), "resource")


@pytest.mark.parametrize("name", ["sub", "iss", "aud", "scope", "client_id", "token_type", "username", "cnf"])
def test_null_counts_as_absent_in_every_member_but_active_and_the_dates(name: str) -> None:
    assert read_answer(answer(**{name: None})) == {name: None}


@pytest.mark.parametrize("scope", ["", "a", "a b", [], ["a", "b c"]])
def test_p18_a_scope_may_be_text_or_a_list(scope: Any) -> None:
    assert read_answer(answer(scope=scope)) == {"scope": scope}


def test_nothing_of_an_answer_stands_in_what_is_said_of_it() -> None:
    for body in (answer(sub=["secret"]), b'{"secret": }', b'{"secret": 1, "secret": 2}'):
        assert "secret" not in malformed(body)


# -- judging -----------------------------------------------------------------------------------------


def test_an_answer_that_names_this_api_is_accepted() -> None:
    judge(GOOD)


@pytest.mark.parametrize(("after", "accepted"), [(600, True), (609.5, True), (610, False), (3600, False)])
def test_p4_an_active_token_that_has_expired_is_refused(after: float, accepted: bool) -> None:
    if accepted:
        judge(GOOD, NOW + after)
    else:
        with pytest.raises(InvalidToken) as refused:
            judge(GOOD, NOW + after)
        assert (refused.value.reason, refused.value.description) == ("expired", "The token has expired.")


def test_p4_a_clock_that_is_not_a_number_refuses_everyone() -> None:
    assert reason(GOOD, float("nan")) == "expired"
    assert reason({"aud": API, "nbf": NOW}, float("nan")) == "not_yet_valid"


def test_p5_an_answer_without_exp_is_accepted() -> None:
    judge({"aud": API, "token_type": "Bearer"})


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize(("ahead", "accepted"), [(-5, True), (10, True), (10.5, False), (3600, False)])
def test_p7_and_p8_a_token_from_the_future_is_not_valid_yet(name: str, ahead: float, accepted: bool) -> None:
    claims = {**GOOD, name: NOW + ahead}
    if accepted:
        judge(claims)
    else:
        assert reason(claims) == "not_yet_valid"


@pytest.mark.parametrize(
    ("iss", "accepted"), [(ISSUER, True), (None, True), (ISSUER + "/", False), ("", False)]
)
def test_p9_an_issuer_is_the_one_that_was_asked_or_is_not_named(iss: str | None, accepted: bool) -> None:
    if accepted:
        judge({**GOOD, "iss": iss})
    else:
        assert reason({**GOOD, "iss": iss}) == "issuer"


def test_p9_a_provider_may_have_several_names_and_one_of_any_issuer_has_every_one() -> None:
    judge({**GOOD, "iss": "https://old.example"}, issuers=(ISSUER, "https://old.example"))
    judge({**GOOD, "iss": "https://anyone.example"}, issuers=())


@pytest.mark.parametrize("aud", [API, [API], ["https://other.example", API]])
def test_p10_one_of_our_audiences_is_enough(aud: Any) -> None:
    judge({**GOOD, "aud": aud})


@pytest.mark.parametrize(
    "aud", ["https://other.example", ["https://other.example"], API + "/", [API + "/", "x"]]
)
@pytest.mark.parametrize("is_checked_by_issuer", [False, True])
def test_p11_an_audience_of_others_alone_is_refused_whoever_checks_it(
    aud: Any, is_checked_by_issuer: bool
) -> None:
    assert reason({**GOOD, "aud": aud}, audience_checked_by_issuer=is_checked_by_issuer) == "audience"


@pytest.mark.parametrize("aud", [{}, {"aud": None}, {"aud": []}, {"aud": ""}])
def test_p12_an_answer_that_names_no_audience_is_refused_unless_the_issuer_checks_it(
    aud: dict[str, Any],
) -> None:
    claims = {"token_type": "Bearer", "exp": NOW + 600, **aud}
    assert reason(claims) == "missing_claim"
    judge(claims, audience_checked_by_issuer=True)


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER"])
def test_p14_a_type_of_access_tokens_is_accepted_in_any_case(token_type: str) -> None:
    judge({**GOOD, "token_type": token_type})


def test_p14_no_type_is_enough_only_where_the_audience_is_named() -> None:
    judge({"aud": API, "exp": NOW + 600})
    judge({"aud": API, "token_type": None})
    assert reason({"exp": NOW + 600}, audience_checked_by_issuer=True) == "type"
    assert reason({"aud": API}, audiences=None) == "type"
    judge({"aud": "anything", "token_type": "Bearer"}, audiences=None)


@pytest.mark.parametrize("token_type", ["N_A", "refresh_token", "mac", "", "access_token", "Bearer "])
def test_p15_any_other_type_is_refused(token_type: str) -> None:
    assert reason({**GOOD, "token_type": token_type}) == "type"


@pytest.mark.parametrize("use", ["refresh", "refresh_token", "id", "", "no_access"])
def test_p15_a_token_for_another_use_is_refused(use: str) -> None:
    assert reason({**GOOD, "token_use": use}) == "type"


@pytest.mark.parametrize("use", ["access", "access_token", "ACCESS"])
def test_p15_a_token_for_access_is_accepted(use: str) -> None:
    judge({**GOOD, "token_use": use})


@pytest.mark.parametrize("typ", ["Refresh", "ID", "Offline", "Logout"])
def test_p15_what_keycloak_calls_another_kind_is_refused(typ: str) -> None:
    assert reason({**GOOD, "typ": typ}) == "type"
    judge({**GOOD, "typ": typ}, refuses_other_kinds=False)
    judge({**GOOD, "typ": "Bearer"})


@pytest.mark.parametrize("cnf", [{}, {"cnf": {}}, {"cnf": None}, {"cnf": "jkt"}, {"cnf": {"x5t#S256": "a"}}])
def test_p16_a_bound_token_whose_key_is_not_named_is_refused(cnf: dict[str, Any]) -> None:
    for token_type in ("DPoP", "dpop"):
        assert reason({**GOOD, "token_type": token_type, **cnf}) == "sender_constrained"


def test_p17_a_bound_token_whose_key_is_named_is_left_to_the_request() -> None:
    judge({**GOOD, "token_type": "DPoP", "cnf": {"jkt": "a"}})
    judge({**GOOD, "cnf": {"x5t#S256": "a"}})


def test_p20_a_token_of_a_client_has_no_subject() -> None:
    judge({**GOOD, "client_id": "worker"})


def test_what_the_provider_must_say_is_checked_here_too() -> None:
    required = {"tenant": ("blue", "green")}
    judge({**GOOD, "tenant": "blue"}, required_values=required)
    assert reason({**GOOD, "tenant": "red"}, required_values=required) == "invalid_claim"
    assert reason(GOOD, required_values=required) == "missing_claim"


# -- what was verified here, and what the provider says -------------------------------------------------

JWT = {
    "iss": ISSUER,
    "sub": "ada",
    "client_id": "web",
    "exp": 1_700_000_600,
    "aud": [API],
    "cnf": {"jkt": "a"},
}


def test_the_claims_are_the_jwts_with_the_answers_on_top() -> None:
    assert agreed(JWT, {"sub": "ada", "scope": "a", "aud": None, "exp": 1_700_000_600.0}, "aud") == {
        **JWT,
        "scope": "a",
    }
    assert agreed(JWT, {"aud": "https://other.example"}, "aud")["aud"] == "https://other.example"
    assert agreed(JWT, {"aud": [], "client_id": None}, "aud") == JWT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", "https://other.example"),
        ("sub", "eve"),
        ("client_id", "cli"),
        ("exp", 1_700_000_601),
        ("cnf", {"jkt": "b"}),
        ("cnf", {}),
    ],
)
def test_what_a_jwt_and_its_provider_say_otherwise_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidToken) as refused:
        agreed(JWT, {name: value}, "aud")
    assert refused.value.reason == "invalid_claim"


@pytest.mark.parametrize("name", ["iss", "sub", "client_id", "exp", "cnf"])
def test_what_one_of_them_leaves_out_does_not_disagree(name: str) -> None:
    fuller = dict(JWT)
    value: Any = fuller.pop(name)
    assert agreed(fuller, {name: value}, "aud") == JWT
    assert agreed(JWT, fuller, "aud") == JWT


@pytest.mark.parametrize("name", ["azp", "appid"])
def test_the_client_of_a_jwt_is_in_one_of_three_claims(name: str) -> None:
    signed = {"iss": ISSUER, name: "web"}
    assert agreed(signed, {"client_id": "web"}, "aud")["client_id"] == "web"
    with pytest.raises(InvalidToken):
        agreed(signed, {"client_id": "cli"}, "aud")


# -- signed answers ------------------------------------------------------------------------------------


def signed(**claims: Any) -> None:
    check_signed_answer(
        {"aud": "orders-api", "iat": NOW, **claims}, NOW, client_id="orders-api", leeway=LEEWAY, oldest=300.0
    )


@pytest.mark.parametrize(
    "claims",
    [{}, {"aud": ["x", "orders-api"]}, {"iat": NOW - 300}, {"iat": NOW + 10}, {"exp": 1, "sub": 7}],
)
def test_j3_a_signed_answer_to_us_of_the_last_five_minutes_is_believed(claims: dict[str, Any]) -> None:
    signed(**claims)


SAID_OF_SIGNED_ANSWERS = {
    "audience": "it is meant for another client",
    "missing_claim": "its iat is not a date",
    "not_yet_valid": "it was issued in the future",
    "expired": "it is older than 300 s",
}


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "other"}, "audience"),
        ({"aud": ["other"]}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": {}}, "audience"),
        ({"aud": ["orders-api", 7]}, "audience"),
        ({"aud": API}, "audience"),
        ({"iat": None}, "missing_claim"),
        ({"iat": "1700000000"}, "missing_claim"),
        ({"iat": True}, "missing_claim"),
        ({"iat": NOW - 300.5}, "expired"),
        ({"iat": NOW + 10.5}, "not_yet_valid"),
    ],
)
def test_j3_any_other_signed_answer_is_not_and_says_why(claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        signed(**claims)
    assert (refused.value.reason, refused.value.description) == (reason, SAID_OF_SIGNED_ANSWERS[reason])
