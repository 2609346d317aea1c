from __future__ import annotations

import math
from typing import Any

import pytest

from bearerguard import InvalidToken
from bearerguard._core.claims import ClaimsSet, compose_checks

NOW = 1_000_000
VALID: ClaimsSet = {"aud": "https://api.example", "exp": NOW + 60}


def check(changes: ClaimsSet | None = None, now: float = NOW, **options: Any) -> float:
    """Make all checks of a provider on a valid token with some claims changed; None takes a claim away."""
    settings = {
        "leeway": 10.0,
        "audiences": ("https://api.example", "https://other.example"),
        "audience_claim": "aud",
        "required": (),
        "required_values": {},
        **options,
    }
    claims = {name: value for name, value in {**VALID, **(changes or {})}.items() if value is not None}
    return compose_checks(**settings)(claims, now)


def reason_of(changes: ClaimsSet, now: float = NOW, **options: Any) -> str:
    with pytest.raises(InvalidToken) as refusal:
        check(changes, now, **options)
    return refusal.value.reason


# -- times


def test_a_token_is_valid_until_it_expires_leeway_included() -> None:
    assert check() == NOW + 70


def test_a_token_is_expired_at_the_very_second_of_exp_plus_leeway() -> None:
    assert check({"exp": NOW}, now=NOW + 9.999)
    assert reason_of({"exp": NOW}, now=NOW + 10) == "expired"
    assert check({"exp": NOW}, now=NOW - 0.001, leeway=0)
    assert reason_of({"exp": NOW}, now=NOW, leeway=0) == "expired"


@pytest.mark.parametrize(
    ("seconds", "said"), [(300, "The token expired 300 s ago."), (301, "The token has expired.")]
)
def test_how_long_ago_a_token_expired_is_told_for_as_long_as_a_clock_may_be_off(
    seconds: int, said: str
) -> None:
    with pytest.raises(InvalidToken) as refusal:
        check({"exp": NOW}, now=NOW + seconds)
    assert refusal.value.description == said


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_of_the_future_is_not_valid_yet_but_within_leeway(claim: str) -> None:
    assert check({claim: NOW + 10})
    assert reason_of({claim: NOW + 10.001}) == "not_yet_valid"


def test_a_time_may_have_a_fraction() -> None:
    assert check({"exp": NOW + 0.5}) == NOW + 10.5


def test_exp_is_required() -> None:
    assert reason_of({"exp": None}) == "missing_claim"


def test_a_null_is_an_absent_claim() -> None:
    claims: ClaimsSet = {**VALID, "sub": None, "jti": None}
    checks = compose_checks(leeway=10, audiences=None, audience_claim="aud", required=(), required_values={})
    assert checks(claims, NOW)
    with pytest.raises(InvalidToken, match="'exp'"):
        checks({**claims, "exp": None}, NOW)


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_null_is_not_a_date_though(claim: str) -> None:
    checks = compose_checks(leeway=10, audiences=None, audience_claim="aud", required=(), required_values={})
    with pytest.raises(InvalidToken, match=f"'{claim}' claim is not a date") as refusal:
        checks({**VALID, claim: None}, NOW)
    assert refusal.value.reason == "invalid_claim"


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value",
    ["1000060", True, False, [1], {}, "", math.inf, -math.inf, math.nan, 2**53 + 2, 10**400, -(10**400)],
    ids=repr,
)
def test_what_is_not_a_finite_number_is_not_a_date(claim: str, value: Any) -> None:
    assert reason_of({claim: value}) == "invalid_claim"


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
def test_the_earliest_and_the_latest_number_are_dates(claim: str) -> None:
    past, future = -(2**53), 2**53
    accepted, refused, reason = (
        (future, past, "expired") if claim == "exp" else (past, future, "not_yet_valid")
    )
    assert check({claim: accepted})
    assert reason_of({claim: refused}) == reason
    assert reason_of({claim: past - 1}) == reason_of({claim: future + 1}) == "invalid_claim"


# -- audience


@pytest.mark.parametrize(
    "audience",
    [
        "https://api.example",
        "https://other.example",
        ["https://api.example"],
        ["https://unknown.example", "https://other.example"],
    ],
    ids=str,
)
def test_the_token_names_one_of_the_accepted_audiences(audience: Any) -> None:
    assert check({"aud": audience})


@pytest.mark.parametrize(
    "audience",
    [
        "https://unknown.example",
        "",
        "https://api.example/",
        "HTTPS://API.EXAMPLE",
        [],
        ["https://unknown.example"],
    ],
    ids=repr,
)
def test_a_token_for_others_is_meant_for_another_audience(audience: Any) -> None:
    assert reason_of({"aud": audience}) == "audience"


@pytest.mark.parametrize(
    "audience", [1, True, {}, {"https://api.example": 1}, ["https://api.example", 1], [None]], ids=str
)
def test_an_audience_of_another_type_is_malformed_even_beside_the_right_one(audience: Any) -> None:
    assert reason_of({"aud": audience}) == "invalid_claim"


def test_an_audience_is_required() -> None:
    assert reason_of({"aud": None}) == "missing_claim"


def test_the_audience_may_stand_in_another_claim() -> None:
    assert check({"aud": None, "client_id": "https://api.example"}, audience_claim="client_id")
    assert reason_of({"client_id": None}, audience_claim="client_id") == "missing_claim"
    assert reason_of({"client_id": "another"}, audience_claim="client_id") == "audience"


def test_no_audience_is_checked_only_where_none_is_given_on_purpose() -> None:
    assert check({"aud": None}, audiences=None)
    assert reason_of({"aud": "https://api.example"}, audiences=()) == "audience"


# -- everything else


@pytest.mark.parametrize("required", [(), ("client_id",)])
@pytest.mark.parametrize("claim", ["sub", "jti"])
def test_sub_and_jti_are_strings_where_they_are_given(claim: str, required: tuple[str, ...]) -> None:
    assert check({claim: "text", "client_id": "app"}, required=required)
    values: list[Any] = [1, True, ["text"], {}]
    for value in values:
        assert reason_of({claim: value, "client_id": "app"}, required=required) == "invalid_claim"


def test_required_claims_must_be_there_and_not_null() -> None:
    assert check({"client_id": "app"}, required=("client_id",))
    assert reason_of({}, required=("client_id",)) == "missing_claim"


def test_a_required_client_id_is_a_string() -> None:
    for value in (5, True, ["app"], {"id": "app"}):
        assert reason_of({"client_id": value}, required=("client_id",)) == "invalid_claim"
        assert check({"client_id": value})


def test_a_claim_with_a_fixed_value_must_have_one_of_its_values() -> None:
    required_values: dict[str, Any] = {"token_use": ("access", "m2m")}
    assert check({"token_use": "access"}, required_values=required_values)
    assert check({"token_use": "m2m"}, required_values=required_values)
    assert reason_of({"token_use": "id"}, required_values=required_values) == "invalid_claim"
    assert reason_of({"token_use": ["access"]}, required_values=required_values) == "invalid_claim"
    assert reason_of({}, required_values=required_values) == "missing_claim"


@pytest.mark.parametrize("value", [1, 1.0, "1", "true"], ids=repr)
def test_values_of_different_types_are_different_values(value: Any) -> None:
    assert check({"verified": True}, required_values={"verified": (True,)})
    assert reason_of({"verified": value}, required_values={"verified": (True,)}) == "invalid_claim"


def test_the_description_names_the_claim() -> None:
    with pytest.raises(InvalidToken, match="'tenant'"):
        check({}, required=("tenant",))


def test_a_clock_that_is_not_a_number_lets_nobody_in() -> None:
    assert reason_of({"exp": 2**40}, now=math.nan) == "expired"
