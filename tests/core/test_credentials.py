from __future__ import annotations

from typing import Any

import pytest

from bearerguard import AuthError, InvalidRequest, InvalidToken, MissingCredentials
from bearerguard._core.credentials import BEARER, DPOP, credentials, encoded, is_one_token, several_tokens
from bearerguard._limits import MAX_TOKEN_BYTES

BOTH = (BEARER, DPOP)


def refusal_of(*values: bytes, schemes: tuple[str, ...] = (BEARER,)) -> AuthError:
    with pytest.raises(AuthError) as refusal:
        credentials(list(values), schemes)
    return refusal.value


@pytest.mark.parametrize(
    "value", [b"Bearer a.b.c", b"bearer a.b.c", b"BEARER a.b.c", b"Bearer   a.b.c", b"Bearer a.b.c  "]
)
def test_the_scheme_is_taken_in_any_case_with_one_or_more_spaces(value: bytes) -> None:
    assert credentials([value]) == (BEARER, b"a.b.c")


@pytest.mark.parametrize("token", [b"XaX", b"\x0ba\x0c", b"a\n"])
def test_only_spaces_are_cut_off_around_a_token(token: bytes) -> None:
    assert credentials([b"Bearer  " + token + b" "]) == (BEARER, token)


def test_without_the_header_there_are_no_credentials() -> None:
    refusal = refusal_of()
    assert isinstance(refusal, MissingCredentials)
    assert refusal.reason == "no_credentials"


@pytest.mark.parametrize(
    "value", [b"", b"Basic YTpi", b"Bearera.b.c", b"a.b.c", b"Bearer\ta.b.c", b"Token Bearer a.b.c"]
)
def test_another_scheme_does_not_count_as_bearer_credentials(value: bytes) -> None:
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
    _, token = credentials([value])
    assert not is_one_token(token)
    assert several_tokens().reason == "malformed_header"


@pytest.mark.parametrize("value", [b"Bearer a.b.c", b"Bearer a", "Bearer tökén".encode(), b"Bearer a\nb"])
def test_anything_else_is_one_token_valid_or_not(value: bytes) -> None:
    assert is_one_token(credentials([value])[1])


@pytest.mark.parametrize("value", [b"DPoP a.b.c", b"dpop a.b.c", b"DPOP   a.b.c", b"dpOP a.b.c  "])
def test_the_scheme_dpop_is_taken_in_any_case_where_it_is_taken_at_all(value: bytes) -> None:
    assert credentials([value], BOTH) == (DPOP, b"a.b.c")
    assert credentials([value], (DPOP,)) == (DPOP, b"a.b.c")
    refusal = refusal_of(value)
    assert (refusal.reason, refusal.description) == (
        "other_scheme",
        "The Authorization header must start with 'Bearer '.",
    )


def test_where_only_dpop_will_do_a_bearer_token_lacks_a_proof() -> None:
    refusal = refusal_of(b"Bearer a.b.c", schemes=(DPOP,))
    assert isinstance(refusal, MissingCredentials)
    assert refusal.reason == "proof_required"
    assert refusal.description == "A Bearer token will not do: use DPoP, with a proof."
    assert refusal_of(b"Basic YTpi", schemes=(DPOP,)).reason == "other_scheme"


def test_another_scheme_is_told_which_are_taken() -> None:
    assert refusal_of(b"Basic YTpi", schemes=BOTH).description == (
        "The Authorization header must start with 'Bearer ' or 'DPoP '."
    )


def test_a_scheme_without_a_token_is_known_to_the_refusal() -> None:
    refusal = refusal_of(b"DPoP ", schemes=BOTH)
    assert (refusal.reason, refusal.scheme, refusal.description) == (
        "malformed_header",
        "DPoP",
        "There is no token after 'DPoP '.",
    )
    several = several_tokens(DPOP, 0.5)
    assert (several.description, several.scheme, several.seconds) == (
        "There is more than one token after 'DPoP '.",
        "DPoP",
        0.5,
    )


@pytest.mark.parametrize("second", [b"Bearer a", b"Basic YTpi", b""])
def test_a_second_header_is_refused_whatever_is_in_it(second: bytes) -> None:
    refusal = refusal_of(b"Bearer a", second)
    assert isinstance(refusal, InvalidRequest)
    assert refusal.reason == "repeated_header"


@pytest.mark.parametrize("value", [None, 1, b"a.b.c", ["a.b.c"]])
def test_what_is_not_text_is_malformed(value: Any) -> None:
    with pytest.raises(InvalidToken, match="not text") as refusal:
        encoded(value)
    assert refusal.value.reason == "malformed"


def test_a_text_beyond_ascii_is_left_to_those_who_take_it_apart() -> None:
    assert not encoded("a.b.\xe9").isascii()
    assert not encoded("a.b.\ud83d").isascii()


def test_a_text_that_is_too_long_is_not_copied() -> None:
    assert len(encoded("a" * MAX_TOKEN_BYTES)) == MAX_TOKEN_BYTES
    with pytest.raises(InvalidToken) as refusal:
        encoded("a" * (MAX_TOKEN_BYTES + 1))
    assert refusal.value.reason == "too_large"


def test_a_text_keeps_its_characters() -> None:
    assert encoded("a.b.c") == b"a.b.c"
