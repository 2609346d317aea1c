from __future__ import annotations

import json
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bearerguard._jose import json_object
from bearerguard._jose.json_object import (
    decode_json,
    decode_large_object,
    decode_object,
    decode_object_again,
    names_a_member_twice,
)
from bearerguard._limits import MAX_JSON_DEPTH


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


def test_the_members_of_an_object_are_returned() -> None:
    assert decode_object(b' {"alg": "ES256", "n": [1, 2.5, null, true]} ') == {
        "alg": "ES256",
        "n": [1, 2.5, None, True],
    }
    assert decode_object_again(b'{"n": [1]}') == {"n": [1]}


@pytest.mark.parametrize("text", [b"[]", b'"text"', b"1", b"null", b"true"])
def test_json_that_is_not_an_object_is_refused(text: bytes) -> None:
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


def exact_depth(data: bytes) -> int:
    """The deepest nesting of brackets outside strings, byte by byte: what the check is held against."""
    depth = deepest = 0
    in_string = escaped = False
    for byte in data:
        if in_string:
            if escaped:
                escaped = False
            elif byte == ord("\\"):
                escaped = True
            elif byte == ord('"'):
                in_string = False
        elif byte == ord('"'):
            in_string = True
        elif byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def verdict(data: bytes) -> str:
    try:
        decode_json(data)
    except ValueError as refusal:
        return str(refusal)
    return "taken"


STRINGS = ("", "[", "]]", "{[" * 9, '"', '"[', "\\", '\\"', "\\\\", '\\\\"[', "\n[", "é[", "a")
leaves = st.sampled_from([*STRINGS, 1, None]) | st.text(alphabet='[]{}"\\,n', max_size=8)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.sampled_from(STRINGS), inner, max_size=6),
    max_leaves=40,
)


@settings(deadline=None)
@given(value=values, levels=st.integers(0, 70), padding=st.integers(0, 17))
def test_exactly_what_nests_too_deep_is_refused(value: Any, levels: int, padding: int) -> None:
    inner = json.dumps([value, [[]] * 65], ensure_ascii=False)
    text = f"[{'[],' * padding}{'[' * levels}{inner}{']' * levels}]".encode()
    expected = "nested too deep" if exact_depth(text) > MAX_JSON_DEPTH else "taken"
    assert verdict(text) == expected


@settings(deadline=None)
@given(text=st.text(alphabet='[]{}"\\:,1n ', max_size=300).map(str.encode), front=st.integers(0, 80))
def test_what_is_not_json_is_refused_however_its_brackets_stand(text: bytes, front: int) -> None:
    text = b"[" * front + text
    try:
        json.loads(text)
    except ValueError:
        assert verdict(text) in ("not JSON", "nested too deep")
    else:
        assert (verdict(text) == "taken") == (exact_depth(text) <= MAX_JSON_DEPTH)


SIZE = 16 * 1024
NASTY = {
    "siblings": b"[" + b"[]," * (SIZE // 3),
    "objects": b"[" + b"{}," * (SIZE // 3),
    "open": b"[" * SIZE,
    "nested": b"[" * (SIZE // 2) + b"]" * (SIZE // 2),
    "closed": b"]" * SIZE,
    "up and down": (b"[" * 60 + b"]" * 60) * (SIZE // 120),
    "at the brink": b"[" * 63 + b"[]" * (SIZE // 2),
    "in a string": b'["' + b"[" * SIZE + b'"]',
    "in a string that never ends": b'["' + b"[" * SIZE,
    "in many strings": b"[" + b'"[",' * (SIZE // 4),
    "strings between brackets": b"[" + b'["["],' * (SIZE // 6),
    "escaped quotes": b'["' + b'\\"[' * (SIZE // 3) + b'"]',
    "escaped backslashes": b'["' + b"\\\\" * (SIZE // 2) + b"[" * 100 + b'"]',
    "both": b'["' + b'\\"\\\\[' * (SIZE // 5),
    "quotes": b'["' * 70 + b'"' * SIZE,
    "members": b"[" + b'{"a":[' * (SIZE // 6),
}


def python_steps(data: bytes) -> int:
    """How many lines of the library's own code reading `data` runs through, loops counted each time."""
    steps = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal steps
        if frame.f_code.co_filename != json_object.__file__:
            return None
        steps += event == "line"
        return trace

    verdict(data)  # the first text that nests has a table made, which is not a step of any text
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        verdict(data)
    finally:
        sys.settrace(before)
    return steps


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_counting_brackets_takes_a_step_for_eight_of_them_whatever_the_text(text: bytes) -> None:
    brackets = sum(map(text.count, (b"[", b"]", b"{", b"}")))
    assert python_steps(text) <= 3 * brackets / 8 + 50


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


def test_an_object_of_many_parts_is_refused_where_it_nests_too_deep() -> None:
    flat = b'{"a": [' + b"[], " * 100 + b"[]]}"
    assert decode_large_object(flat) == {"a": [[]] * 101}
    with pytest.raises(ValueError, match=r"^nested too deep$"):
        decode_large_object(b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}")


def repeats(text: str) -> bool:
    """Whether a JSON text names a member twice, by a parser that tells each."""
    found = False

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        found |= len(dict(pairs)) < len(pairs)
        return dict(pairs)

    json.loads(text, object_pairs_hook=look)
    return found


@pytest.mark.parametrize(
    "member",
    [
        '"a": 1',
        '"b": {"a": 1, "a": 1}',
        '"b": [[{"a": "x", "c": "y", "a": "x"}]]',
        '"b": [{"a": 1}, {"a": 2}]',
        r'"\u0061": "written otherwise"',
        r'"b": "quotes: \" \u0022 \\\" and \u005c", "c": "\\"',
        r'"b": "quotes: \" \u0022 \\\" and \u005c", "c": "\\", "b": "\""',
        r'"\"": 1, "\u0022": 2',
        '"é": "\u2028\x7f/", "b": 1e5, "c": 123456789012345678901234567890, "d": -0.0, "e": null',
        '"": "", "": ""',
    ],
)
def test_a_member_that_is_named_twice_is_noticed_whatever_the_strings_say(member: str) -> None:
    text = f'{{"a": "first", {member}}}'
    assert names_a_member_twice(text.encode(), decode_object(text.encode())) is repeats(text)
