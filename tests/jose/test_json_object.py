from __future__ import annotations

from typing import Any

import pytest

from bearerguard._jose.json_object import decode_json, decode_object
from bearerguard._limits import MAX_JSON_DEPTH


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


def test_the_members_of_an_object_are_returned() -> None:
    assert decode_object(b' {"alg": "ES256", "n": [1, 2.5, null, true]} ') == {
        "alg": "ES256",
        "n": [1, 2.5, None, True],
    }


@pytest.mark.parametrize("text", [b"[]", b'"text"', b"1", b"null", b"true"])
def test_json_that_is_no_object_is_no_object(text: bytes) -> None:
    decode_json(text)
    with pytest.raises(ValueError, match=r"^not a JSON object$"):
        decode_object(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"{} {}",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 01}',
        b'{"a": 1,}',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\xff"}',
        b'{"\xff": 1}',
        b'{"a": "\\ud800"}',
        b'{"a": "\n"}',
    ],
    ids=ascii,
)
def test_what_is_looser_than_json_in_utf8_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not JSON$"):
        decode_json(text)


def test_of_members_with_the_same_name_the_last_counts() -> None:
    assert decode_object(b'{"alg": "none", "alg": "RS256"}') == {"alg": "RS256"}


def test_nesting_is_bounded() -> None:
    assert decode_object(nested(MAX_JSON_DEPTH))
    with pytest.raises(ValueError, match=r"^nested too deep$"):
        decode_object(nested(MAX_JSON_DEPTH + 1))
    with pytest.raises(ValueError, match=r"^nested too deep$"):
        decode_json(b"[" * 10_000)


def test_the_greatest_depth_is_accepted_among_any_number_of_brackets() -> None:
    assert decode_json(b"[[]," + nested(MAX_JSON_DEPTH - 1) + b",[]]")
    with pytest.raises(ValueError, match=r"^nested too deep$"):
        decode_json(b"[[]," + nested(MAX_JSON_DEPTH) + b",[]]")


@pytest.mark.parametrize("text", [rb'"\""', rb'"\\"', rb'"a\nb"', rb'"{["'], ids=ascii)
def test_a_string_hides_no_nesting_behind_it(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^nested too deep$"):
        decode_json(b"[" + text + b"," + nested(MAX_JSON_DEPTH) + b"]")


def test_the_verdict_about_nesting_does_not_depend_on_the_callers_depth() -> None:
    def deeper(frames: int) -> Any:
        return deeper(frames - 1) if frames else decode_object(nested(MAX_JSON_DEPTH))

    assert deeper(600) == decode_object(nested(MAX_JSON_DEPTH))


@pytest.mark.parametrize(
    "text",
    [
        b"[" + b",".join([b"[]"] * 200) + b"]",  # many side by side
        b'{"a": "' + b"{[" * 200 + b'"}',  # in a string
        b'{"a": "\\"' + b"{[" * 200 + b'"}',  # behind an escaped quote
        b'{"a": "\\\\", "b": "' + b"[" * 200 + b'"}',  # behind an escaped backslash
    ],
    ids=["siblings", "string", "escaped quote", "escaped backslash"],
)
def test_brackets_that_do_not_nest_do_not_count(text: bytes) -> None:
    assert decode_json(text)
