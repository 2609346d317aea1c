"""The compact serialization (RFC 7515, section 7.1) and everything that almost is one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bearerguard import InvalidToken, ResourceServer
from tests.hostile import minting
from tests.hostile.oracle import Row, check_everywhere, table, token_row

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
LIMIT = 16 * 1024


def of_remainder(part: int, remainder: int) -> str:
    """A token one part of which has `remainder` characters over, so that its last one carries spare bits."""
    for filler in range(4):
        padding = "x" * filler
        alg = "ES512" if part == 2 and remainder == 0 else "RS256" if part == 2 else "ES256"
        header = {"filler": padding} if part == 0 else {}
        token = minting.token(alg, header=header, filler=padding)
        if len(token.split(".")[part]) % 4 == remainder:
            return token
    raise AssertionError("no such token")


def with_part(token: str, part: int, text: str) -> str:
    parts = token.split(".")
    parts[part] = text
    return ".".join(parts)


def changed(token: str, part: int, suffix: str = "", prefix: str = "") -> str:
    return with_part(token, part, prefix + token.split(".")[part] + suffix)


def spare_bits_set(token: str, part: int) -> str:
    """The token with a last character that decodes, leniently, to the same bytes."""
    text = token.split(".")[part]
    return with_part(token, part, text[:-1] + ALPHABET[ALPHABET.index(text[-1]) + 1])


def with_standard_alphabet() -> str:
    """A token whose signature has `-` and `_` written as `+` and `/`."""
    token = next(token for token in iter(minting.token, "") if {"-", "_"} <= set(token.split(".")[2]))
    return with_part(token, 2, token.split(".")[2].replace("-", "+").replace("_", "/"))


TOKEN = minting.token()
HEAD, BODY, TAIL = TOKEN.split(".")
FLATTENED = {"payload": BODY, "protected": HEAD, "signature": TAIL}
PARTS = ("header", "payload", "signature")
NBSP = "\N{NO-BREAK SPACE}"


def as_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


ROWS = [
    token_row("valid", TOKEN, None),
    token_row("empty", "", "malformed", in_header="malformed_header"),
    token_row("one part", HEAD, "malformed"),
    token_row("two parts", f"{HEAD}.{BODY}", "malformed"),
    token_row("four parts", f"{TOKEN}.{TAIL}", "malformed"),
    token_row("a dot behind", f"{TOKEN}.", "malformed"),
    token_row("a dot in front", f".{TOKEN}", "malformed"),
    token_row("five parts", f"{TOKEN}.{TAIL}.{TAIL}", "encrypted"),
    token_row("five parts, a JWE", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA", "encrypted"),
    token_row("six parts", f"{TOKEN}.a.b.c", "malformed"),
    token_row("seven parts", f"{TOKEN}.a.b.c.d", "malformed"),
    token_row("ten thousand empty parts", "." * 9_999, "malformed"),
    token_row("as many dots as fit", "." * LIMIT, "malformed"),
    token_row("ten thousand parts", ".".join(["e30"] * 10_000), "too_large"),
    token_row("one part of full size", "A" * LIMIT, "malformed"),
    token_row("three parts of full size", f"{HEAD}.{'A' * (LIMIT - len(HEAD) - 3)}.A", "malformed"),
    token_row("a dot", ".", "malformed"),
    token_row("two dots", "..", "malformed"),
    token_row("three dots", "...", "malformed"),
    token_row("four dots", "....", "encrypted"),
    token_row("empty header", f".{BODY}.{TAIL}", "malformed"),
    token_row("empty payload", f"{HEAD}..{TAIL}", "malformed"),
    token_row("empty signature", f"{HEAD}.{BODY}.", "signature"),
    *(token_row(f"padding, {name}", changed(TOKEN, n, "="), "malformed") for n, name in enumerate(PARTS)),
    *(
        token_row(f"two padding, {name}", changed(TOKEN, n, "=="), "malformed")
        for n, name in enumerate(PARTS)
    ),
    *(
        token_row(f"right padding, {name}", changed(of_remainder(n, 2), n, "=="), "malformed")
        for n, name in enumerate(PARTS)
    ),
    *(
        token_row(f"spare bits of four, {name}", spare_bits_set(of_remainder(n, 2), n), "malformed")
        for n, name in enumerate(PARTS)
    ),
    *(
        token_row(f"spare bits of two, {name}", spare_bits_set(of_remainder(n, 3), n), "malformed")
        for n, name in enumerate(PARTS[:2])
    ),
    *(
        token_row(f"one over, {name}", changed(TOKEN, n, "A"), "malformed")
        for n, name in enumerate(PARTS[:2])
    ),
    token_row("alphabet with + and /", with_standard_alphabet(), "malformed"),
    *(
        token_row(f"{kind} in front, {name}", changed(TOKEN, n, prefix=sign), "malformed", in_header=carried)
        for n, name in enumerate(PARTS[1:], 1)
        for kind, sign, carried in (
            ("space", " ", "malformed_header"),
            ("tab", "\t", "malformed_header"),
            ("line feed", "\n", None),
            ("carriage return", "\r", None),
            ("NUL", "\0", None),
            ("no-break space", NBSP, None),
        )
    ),
    token_row("line feed behind", f"{TOKEN}\n", "malformed"),
    token_row("CRLF behind", f"{TOKEN}\r\n", "malformed"),
    token_row("byte order mark", f"\ufeff{TOKEN}", "malformed"),
    token_row("zero width space behind", f"{TOKEN}\u200b", "malformed"),
    token_row("full-width dots", TOKEN.replace(".", "\N{FULLWIDTH FULL STOP}"), "malformed"),
    token_row("encoded dots", TOKEN.replace(".", "%2E"), "malformed"),
    token_row("lone surrogate", f"{TOKEN}\ud800", "malformed"),
    token_row("scheme in the token", f"Bearer {TOKEN}", "malformed", in_header="malformed_header"),
    token_row("scheme in the token, no space", f"Bearer{TOKEN}", "malformed"),
    token_row("quoted", f'"{TOKEN}"', "malformed"),
    token_row("lower case", TOKEN.lower(), "malformed"),
    token_row("reversed", TOKEN[::-1], "malformed"),
    token_row("header and payload swapped", f"{BODY}.{HEAD}.{TAIL}", "malformed"),
    token_row("twice", TOKEN + TOKEN, "encrypted"),
    token_row("flattened JSON", as_json(FLATTENED), "malformed", in_header="malformed_header"),
    token_row(
        "general JSON",
        as_json({"payload": BODY, "signatures": [{"protected": HEAD, "signature": TAIL}]}),
        "malformed",
        in_header="malformed_header",
    ),
    token_row(
        "general JSON without signatures",
        as_json({"payload": BODY, "signatures": []}),
        "malformed",
        in_header="malformed_header",
    ),
    token_row(
        "JSON with dots in it",
        as_json({"payload": "a.b", "x": TOKEN}),
        "malformed",
        in_header="malformed_header",
    ),
    token_row("base64url of flattened JSON", minting.b64(as_json(FLATTENED).encode()), "malformed"),
    token_row("base64url of the token", minting.b64(TOKEN.encode()), "malformed"),
    token_row("nested in a payload", f"{HEAD}.{minting.b64(TOKEN.encode())}.{TAIL}", "malformed"),
]


@pytest.fixture(scope="module")
def server() -> ResourceServer:
    return minting.server()


@table(ROWS)
def test_what_is_not_a_compact_token_is_refused(case: Row, caplog: pytest.LogCaptureFixture) -> None:
    check_everywhere(case, caplog)


@pytest.mark.parametrize(
    "value", [None, 1, True, TOKEN.encode(), bytearray(TOKEN.encode()), [TOKEN], object()]
)
def test_what_is_not_text_is_refused(value: Any, server: ResourceServer) -> None:
    with pytest.raises(InvalidToken) as refusal:
        server.verify(value)
    assert refusal.value.reason == "malformed"
