from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bearerguard._core.challenge import format_challenge, quoted


def test_parameters_come_in_the_order_given_and_none_leaves_one_out() -> None:
    assert format_challenge("Bearer", [("realm", "shop"), ("error", None), ("scope", "a b")]) == (
        'Bearer realm="shop", scope="a b"'
    )


def test_a_challenge_without_parameters_is_only_the_scheme() -> None:
    assert format_challenge("Bearer", [("error", None)]) == "Bearer"


def test_quotes_and_backslashes_are_escaped() -> None:
    assert quoted('a "b" \\c') == '"a \\"b\\" \\\\c"'


def test_every_printable_character_stays() -> None:
    printable = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '"\\')
    assert quoted(printable) == f'"{printable}"'


def test_what_a_header_cannot_carry_is_replaced() -> None:
    assert quoted("a\r\nSet-Cookie: b\x00\x7fé") == '"a??Set-Cookie: b???"'


@given(st.text())
def test_no_text_leaves_the_quoted_string(text: str) -> None:
    value = quoted(text)
    assert all(" " <= character <= "~" for character in value)
    inner = value[1:-1].replace("\\\\", "").replace('\\"', "")
    assert value[0] == value[-1] == '"'
    assert '"' not in inner
    assert "\\" not in inner


def test_what_rfc6750_has_no_escapes_for_is_written_without_them() -> None:
    parameters = [(name, '"a" \\b') for name in ("error", "error_description", "scope")]
    assert format_challenge("Bearer", parameters) == (
        "Bearer error=\"'a' /b\", error_description=\"'a' /b\", scope=\"'a' /b\""
    )
    assert format_challenge("Bearer", [("realm", 'the "shop"')]) == r'Bearer realm="the \"shop\""'
