from __future__ import annotations

from typing import Any

import pytest

from bearerguard import InvalidToken
from bearerguard._core.compact import encoded, split
from bearerguard._core.limits import MAX_TOKEN_BYTES


def test_the_three_parts_are_returned_as_they_are() -> None:
    assert split(b"header.payload.signature") == (b"header", b"payload", b"signature", b"header.payload")


def test_empty_parts_are_left_to_those_who_decode_them() -> None:
    assert split(b"..") == (b"", b"", b"", b".")


def test_a_text_without_dots_is_said_to_be_opaque() -> None:
    with pytest.raises(InvalidToken, match="opaque") as refusal:
        split(b"mF_9-B5f")
    assert refusal.value.reason == "malformed"


def test_the_five_parts_of_an_encrypted_token_are_named_as_such() -> None:
    with pytest.raises(InvalidToken, match="JWE") as refusal:
        split(b"header.key.iv.ciphertext.tag")
    assert refusal.value.reason == "encrypted"


@pytest.mark.parametrize("dots", [1, 3, 5, 6, 100_000])
def test_any_other_number_of_dots_is_malformed(dots: int) -> None:
    with pytest.raises(InvalidToken, match="three parts") as refusal:
        split(b"a" + b".a" * dots)
    assert refusal.value.reason == "malformed"


def test_a_token_beyond_ascii_is_malformed() -> None:
    with pytest.raises(InvalidToken, match="characters") as refusal:
        split("tök.é.n".encode())
    assert refusal.value.reason == "malformed"


@pytest.mark.parametrize("value", [None, 1, b"a.b.c", ["a.b.c"]])
def test_what_is_no_text_is_malformed(value: Any) -> None:
    with pytest.raises(InvalidToken, match="no text") as refusal:
        encoded(value)
    assert refusal.value.reason == "malformed"


@pytest.mark.parametrize("value", ["a.b.\xe9", "a.b.\ud83d"])
def test_a_text_beyond_ascii_is_left_to_those_who_take_it_apart(value: str) -> None:
    with pytest.raises(InvalidToken, match="characters"):
        split(encoded(value))


def test_a_text_that_is_too_long_is_not_copied() -> None:
    assert len(encoded("a" * MAX_TOKEN_BYTES)) == MAX_TOKEN_BYTES
    with pytest.raises(InvalidToken) as refusal:
        encoded("a" * (MAX_TOKEN_BYTES + 1))
    assert refusal.value.reason == "too_large"


def test_a_text_keeps_its_characters() -> None:
    assert encoded("a.b.c") == b"a.b.c"
