"""The Authorization header in every form that it may and may not have (RFC 6750, section 2.1)."""

from __future__ import annotations

import pytest

from tests.hostile import minting
from tests.hostile.oracle import Row, check_everywhere, row, table

TOKEN = minting.token().encode()
LIMIT = 16 * 1024
TEN_MEGABYTES = 10 * 1024 * 1024


def fields(name: str, reason: str | None, *values: bytes) -> Row:
    """A row about several fields of the same name."""
    return Row(name, [(b"authorization", value) for value in values], reason)


ROWS = [
    fields("no header", "no_credentials"),
    row("empty", b"", "other_scheme"),
    row("only spaces", b"   ", "other_scheme"),
    row("scheme alone", b"Bearer", "malformed_header"),
    row("scheme and a space", b"Bearer ", "malformed_header"),
    row("scheme and many spaces", b"Bearer " + b" " * 1000, "malformed_header"),
    row("valid", b"Bearer " + TOKEN, None),
    row("two spaces", b"Bearer  " + TOKEN, None),
    row("spaces behind", b"Bearer " + TOKEN + b"  ", None),
    row("lower case", b"bearer " + TOKEN, None),
    row("upper case", b"BEARER " + TOKEN, None),
    row("mixed case", b"bEaReR " + TOKEN, None),
    row("a space before", b" Bearer " + TOKEN, "other_scheme"),
    row("tab between", b"Bearer\t" + TOKEN, "other_scheme"),
    row("tab after the space", b"Bearer \t" + TOKEN, "malformed_header"),
    row("tab behind", b"Bearer " + TOKEN + b"\t", "malformed_header"),
    row("vertical tab between", b"Bearer\x0b" + TOKEN, "other_scheme"),
    row("form feed behind", b"Bearer " + TOKEN + b"\x0c", "malformed"),
    row("no-break space between", b"Bearer\xa0" + TOKEN, "other_scheme"),
    row("no-break space behind", b"Bearer " + TOKEN + b"\xa0", "malformed"),
    row("colon", b"Bearer:" + TOKEN, "other_scheme"),
    row("equals sign", b"Bearer=" + TOKEN, "other_scheme"),
    row("no scheme", TOKEN, "other_scheme"),
    row("basic", b"Basic dXNlcjpwYXNzd29yZA==", "other_scheme"),
    row("digest", b'Digest username="a", realm="b"', "other_scheme"),
    row("dpop", b"DPoP " + TOKEN, "other_scheme"),
    row("negotiate", b"Negotiate " + TOKEN, "other_scheme"),
    row("a scheme that begins alike", b"BearerX " + TOKEN, "other_scheme"),
    row("a scheme that ends alike", b"XBearer " + TOKEN, "other_scheme"),
    row("a scheme that looks alike", "\N{CYRILLIC CAPITAL LETTER VE}earer ".encode() + TOKEN, "other_scheme"),
    row("scheme in latin-1", b"B\xe9arer " + TOKEN, "other_scheme"),
    row("scheme twice", b"Bearer Bearer " + TOKEN, "malformed_header"),
    row("two tokens", b"Bearer " + TOKEN + b" " + TOKEN, "malformed_header"),
    row("two tokens, comma", b"Bearer " + TOKEN + b"," + TOKEN, "malformed_header"),
    row("two credentials, comma", b"Bearer " + TOKEN + b", Bearer " + TOKEN, "malformed_header"),
    row("basic and bearer, comma", b"Basic dTpw, Bearer " + TOKEN, "other_scheme"),
    row("comma behind", b"Bearer " + TOKEN + b",", "malformed_header"),
    row("comma alone", b"Bearer ,", "malformed_header"),
    row("a parameter", b"Bearer token=" + TOKEN, "malformed"),
    row("parameters", b'Bearer realm="x", token="y"', "malformed_header"),
    row("quoted", b'Bearer "' + TOKEN + b'"', "malformed"),
    row("angle brackets", b"Bearer <" + TOKEN + b">", "malformed"),
    row("semicolon behind", b"Bearer " + TOKEN + b";", "malformed"),
    row("utf-8", "Bearer é".encode(), "malformed"),
    row("latin-1", b"Bearer \xe9", "malformed"),
    row("a valid token and one more octet", b"Bearer " + TOKEN + b"\xff", "malformed"),
    row("full width", "Bearer \N{FULLWIDTH LATIN SMALL LETTER E}".encode(), "malformed"),
    row("NUL before", b"\x00Bearer " + TOKEN, "other_scheme"),
    row("NUL between", b"Bearer \x00" + TOKEN, "malformed"),
    row("NUL behind", b"Bearer " + TOKEN + b"\x00", "malformed"),
    row("NUL and more", b"Bearer " + TOKEN + b"\x00A", "malformed"),
    row("NUL alone", b"Bearer \x00", "malformed"),
    row("line end", b"Bearer " + TOKEN + b"\r\nSet-Cookie:a=b", "malformed"),
    row("line feed in front", b"Bearer \n" + TOKEN, "malformed"),
    row("delete", b"Bearer \x7f", "malformed"),
    row("every octet but space, tab and comma", b"Bearer " + bytes({*range(256)} - {9, 32, 44}), "malformed"),
    row("a word", b"Bearer null", "malformed"),
    row("an opaque token", b"Bearer 2YotnFZFEjr1zCsicMWpAA", "malformed"),
    row("as long as allowed", b"Bearer " + b"A" * LIMIT, "malformed"),
    row("one too long", b"Bearer " + b"A" * (LIMIT + 1), "too_large"),
    row("10 MB", b"Bearer " + b"A" * TEN_MEGABYTES, "too_large"),
    row("10 MB of dots", b"Bearer " + b"." * TEN_MEGABYTES, "too_large"),
    row("10 MB of commas", b"Bearer " + b"," * TEN_MEGABYTES, "too_large"),
    row("10 MB of spaces", b"Bearer " + b" " * TEN_MEGABYTES, "malformed_header"),
    row("10 MB of scheme", b"B" * TEN_MEGABYTES, "other_scheme"),
    row("10 MB of high octets", b"Bearer " + b"\xff" * TEN_MEGABYTES, "too_large"),
    fields("twice the same", "repeated_header", b"Bearer " + TOKEN, b"Bearer " + TOKEN),
    fields("valid, then bad", "repeated_header", b"Bearer " + TOKEN, b"Bearer bad"),
    fields("bad, then valid", "repeated_header", b"Bearer bad", b"Bearer " + TOKEN),
    fields("valid, then empty", "repeated_header", b"Bearer " + TOKEN, b""),
    fields("empty, then valid", "repeated_header", b"", b"Bearer " + TOKEN),
    fields("basic, then valid", "repeated_header", b"Basic dTpw", b"Bearer " + TOKEN),
    fields("a thousand times", "repeated_header", *[b"Bearer " + TOKEN] * 1000),
    Row("proxy-authorization", [(b"proxy-authorization", b"Bearer " + TOKEN)], "no_credentials"),
    Row("x-authorization", [(b"x-authorization", b"Bearer " + TOKEN)], "no_credentials"),
    Row("a cookie", [(b"cookie", b"access_token=" + TOKEN)], "no_credentials"),
    Row("a name with a space", [(b"authorization ", b"Bearer " + TOKEN)], "no_credentials"),
    Row("an underscore name", [(b"http_authorization", b"Bearer " + TOKEN)], "no_credentials"),
]


@table(ROWS)
def test_an_authorization_header_gets_one_decision(case: Row, caplog: pytest.LogCaptureFixture) -> None:
    check_everywhere(case, caplog)
