from __future__ import annotations

import pytest

from bearerguard import AuthError, InvalidRequest, InvalidToken, MissingCredentials
from bearerguard._core.credentials import bearer_token
from bearerguard._core.limits import MAX_TOKEN_BYTES


def refusal_of(*values: bytes) -> AuthError:
    with pytest.raises(AuthError) as refusal:
        bearer_token([(b"host", b"api.example"), *((b"authorization", value) for value in values)])
    return refusal.value


@pytest.mark.parametrize(
    "value", [b"Bearer a.b.c", b"bearer a.b.c", b"BEARER a.b.c", b"Bearer   a.b.c", b"Bearer a.b.c  "]
)
def test_the_scheme_is_taken_in_any_case_with_one_or_more_spaces(value: bytes) -> None:
    assert bearer_token([(b"host", b"api.example"), (b"authorization", value)]) == "a.b.c"


def test_without_the_header_there_are_no_credentials() -> None:
    refusal = refusal_of()
    assert isinstance(refusal, MissingCredentials)
    assert refusal.reason == "no_credentials"


@pytest.mark.parametrize(
    "value", [b"", b"Basic YTpi", b"Bearera.b.c", b"a.b.c", b"Bearer\ta.b.c", b"Token Bearer a.b.c"]
)
def test_another_scheme_is_no_bearer_credentials(value: bytes) -> None:
    refusal = refusal_of(value)
    assert isinstance(refusal, MissingCredentials)
    assert refusal.reason == "other_scheme"


@pytest.mark.parametrize("value", [b"Bearer", b"Bearer ", b"Bearer    "])
def test_a_scheme_without_a_token_is_malformed(value: bytes) -> None:
    refusal = refusal_of(value)
    assert isinstance(refusal, InvalidRequest)
    assert refusal.reason == "malformed_header"


@pytest.mark.parametrize("value", [b"Bearer a b", b"Bearer a,b", b"Bearer a, Bearer b", b"Bearer a\tb"])
def test_two_tokens_in_one_header_are_malformed(value: bytes) -> None:
    refusal = refusal_of(value)
    assert isinstance(refusal, InvalidRequest)
    assert refusal.reason == "malformed_header"


@pytest.mark.parametrize("second", [b"Bearer a", b"Basic YTpi", b""])
def test_a_second_header_is_refused_whatever_is_in_it(second: bytes) -> None:
    refusal = refusal_of(b"Bearer a", second)
    assert isinstance(refusal, InvalidRequest)
    assert refusal.reason == "repeated_header"


def test_a_token_has_a_greatest_length() -> None:
    longest = b"a" * MAX_TOKEN_BYTES
    assert bearer_token([(b"authorization", b"Bearer " + longest)]) == longest.decode()
    refusal = refusal_of(b"Bearer a" + longest)
    assert isinstance(refusal, InvalidToken)
    assert refusal.reason == "too_large"


def test_a_token_beyond_ascii_is_malformed() -> None:
    refusal = refusal_of("Bearer tökén".encode())
    assert isinstance(refusal, InvalidToken)
    assert refusal.reason == "malformed"
