"""The judge of challenges is strict: what these tests rely on."""

from __future__ import annotations

import pytest

from bearerguard import InsufficientScope, InsufficientUserAuthentication, InvalidToken
from tests.challenge import challenge_of
from tests.hostile.challenge_grammar import BadChallenge, parse_challenge


@pytest.mark.parametrize(
    ("value", "parameters"),
    [
        (b"Bearer", {}),
        (b'Bearer realm=""', {"realm": ""}),
        (b'Bearer realm="a\\"b", error="invalid_token"', {"realm": 'a"b', "error": "invalid_token"}),
    ],
    ids=["bare", "empty value", "escaped quote"],
)
def test_a_challenge_of_the_grammar_is_read(value: bytes, parameters: dict[str, str]) -> None:
    assert parse_challenge(value) == parameters


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Basic",
        b"Bearer ",
        b'Bearer  realm="x"',
        b'Bearer\trealm="x"',
        b"Bearer realm=x",
        b'Bearer realm="x',
        b'Bearer realm="x"y',
        b'Bearer realm="x",error="invalid_token"',
        b'Bearer realm="x", ',
        b'Bearer realm="x", realm="y"',
        b'Bearer realm="x\r\nSet-Cookie: a=b"',
        b'Bearer realm="\x00"',
        b'Bearer realm="\xe9"',
        b'Bearer realm = "x"',
        b'Bearer error="no_such_code"',
        b'Bearer error_description="of nothing"',
        b'Bearer error="invalid_token", error_description="a \\"quote\\""',
        b'Bearer error="insufficient_scope", scope="a\\\\b"',
    ],
    ids=repr,
)
def test_a_challenge_outside_the_grammar_is_not_read(value: bytes) -> None:
    with pytest.raises(BadChallenge):
        parse_challenge(value)


HOSTILE = 'x"y\\z\r\nSet-Cookie: a=b\x00é\N{SNOWMAN}'


@pytest.mark.parametrize(
    "error",
    [
        InvalidToken("expired", HOSTILE),
        InsufficientScope("scope", HOSTILE, [HOSTILE, "b"]),
        InsufficientUserAuthentication("acr", HOSTILE, acr_values=[HOSTILE], max_age=1.5),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_text_that_an_error_is_given_breaks_its_challenge(error: InvalidToken) -> None:
    """Quotes, backslashes, line ends, NUL and what is not ASCII: none leaves its place."""
    value = challenge_of(error, realm=HOSTILE, resource_metadata=HOSTILE).encode("ascii")
    parameters = parse_challenge(value)
    assert parameters["error"] == error.code
    assert parameters["realm"].startswith('x"y\\z??Set-Cookie')
