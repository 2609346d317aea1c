from __future__ import annotations

import pytest

from bearerguard._jose.jose_error import JoseError
from bearerguard._jose.jws import parse_header, split


def test_the_three_parts_are_returned_as_they_are() -> None:
    assert split(b"header.payload.signature") == (b"header", b"payload", b"signature", b"header.payload")


def test_empty_parts_are_left_to_those_who_decode_them() -> None:
    assert split(b"..") == (b"", b"", b"", b".")


def test_a_text_without_dots_is_said_to_be_opaque() -> None:
    with pytest.raises(JoseError, match="opaque") as refusal:
        split(b"mF_9-B5f")
    assert refusal.value.reason == "malformed"


def test_the_five_parts_of_an_encrypted_token_are_named_as_such() -> None:
    with pytest.raises(JoseError, match="JWE") as refusal:
        split(b"header.key.iv.ciphertext.tag")
    assert refusal.value.reason == "encrypted"


@pytest.mark.parametrize("dots", [1, 3, 5, 6, 100_000])
def test_any_other_number_of_dots_is_malformed(dots: int) -> None:
    with pytest.raises(JoseError, match="three parts") as refusal:
        split(b"a" + b".a" * dots)
    assert refusal.value.reason == "malformed"


@pytest.mark.parametrize("text", ["\xe9", "tök.én", "a.b.c.\xe9"])
def test_a_text_of_other_parts_beyond_ascii_is_refused_for_that(text: str) -> None:
    with pytest.raises(JoseError, match="non-ASCII characters") as refusal:
        split(text.encode())
    assert refusal.value.reason == "malformed"


def test_a_header_beyond_ascii_is_refused_for_that() -> None:
    with pytest.raises(JoseError, match="non-ASCII characters") as refusal:
        parse_header("ök".encode())
    assert refusal.value.reason == "malformed"
