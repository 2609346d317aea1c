from __future__ import annotations

import base64
import itertools
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearerguard._jose.base64url import decode, encode


def canonical(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@given(st.binary(max_size=400))
def test_any_bytes_come_back_from_their_encoding(data: bytes) -> None:
    assert encode(data) == canonical(data)
    assert decode(encode(data)) == data


@pytest.mark.parametrize("length", [0, 1, 2])
def test_of_all_short_texts_only_canonical_encodings_decode(length: int) -> None:
    accepted = 0
    for text in map(bytes, itertools.product(range(256), repeat=length)):
        try:
            data = decode(text)
        except ValueError:
            continue
        accepted += 1
        assert canonical(data) == text
    assert accepted == [1, 0, 256][length]


@given(st.text("AEIQgw019_-+/= \n.", max_size=12))
def test_no_two_texts_decode_to_the_same_bytes(text: str) -> None:
    try:
        data = decode(text.encode())
    except ValueError:
        return
    assert canonical(data) == text.encode()


@pytest.mark.parametrize(
    "text",
    [
        b"QQ==",  # padding
        b"QR",  # bits after the last byte
        b"Q",  # no number of bytes has one character
        b"+/+/",  # the other alphabet
        b"QUJD RA",
        b"QUJD\nRA",
        b"QU=D",
        b"QUJ\xff",
    ],
    ids=ascii,
)
def test_a_text_that_is_not_canonical_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not base64url$"):
        decode(text)


LENGTHS = (8, 10, 252, 256, 258, 259, 260, 4_000)  # from 256 on, only two characters are translated


@pytest.mark.parametrize("length", LENGTHS)
def test_no_byte_outside_the_alphabet_is_taken_whatever_the_length(length: int) -> None:
    alphabet = {*string.ascii_letters.encode(), *string.digits.encode(), *b"-_"}
    places = (0, 1, length // 2, length - 4, length - 3, length - 2)  # in the last, no bit is left over
    for byte, place in itertools.product(range(256), places):
        text = b"A" * place + bytes([byte]) + b"A" * (length - place - 1)
        if byte in alphabet:
            assert canonical(decode(text)) == text
        else:
            with pytest.raises(ValueError, match=r"^not base64url$"):
                decode(text)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("written", [rb"\u0041", rb"\u002f", rb"\/"], ids=ascii)
def test_what_json_would_read_as_another_character_is_refused(length: int, written: bytes) -> None:
    for times in (1, 4):  # the padding of four fits what they stand for too
        with pytest.raises(ValueError, match=r"^not base64url$"):
            decode(b"A" * length + written * times + b"AAAA")
