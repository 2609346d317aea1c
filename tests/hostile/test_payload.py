"""The payload: signed by the right key, and yet nothing that a resource server may believe."""

from __future__ import annotations

import json

import pytest

from tests.hostile import minting
from tests.hostile.oracle import Row, check_everywhere, check_text, table, token_row

VALID = json.dumps(minting.CLAIMS).encode()


def payload(name: str, octets: bytes, reason: str | None = "malformed") -> Row:
    return token_row(name, minting.with_payload(octets), reason)


def more(name: str, member: bytes, reason: str | None = "malformed") -> Row:
    """A row about one more member in an otherwise valid payload."""
    return payload(name, VALID[:-1] + b"," + member + b"}", reason)


ROWS = [
    payload("valid", VALID, None),
    payload("white space", json.dumps(minting.CLAIMS, indent=8).encode() + b"\r\n\t ", None),
    payload("empty", b""),
    payload("white space alone", b"  \n"),
    payload("not JSON", b"iss=https://issuer.test&sub=admin"),
    payload("XML", b"<claims/>"),
    payload("octets", bytes(range(256))),
    payload("empty object", b"{}", "missing_claim"),
    payload("array", b"[]"),
    payload("array of claims", b"[" + VALID + b"]"),
    payload("array of pairs", json.dumps(list(minting.CLAIMS.items())).encode()),
    payload("string", b'"claims"'),
    payload("string of claims", json.dumps(VALID.decode()).encode()),
    payload("number", b"1"),
    payload("zero", b"0"),
    payload("null", b"null"),
    payload("true", b"true"),
    payload("false", b"false"),
    payload("unfinished", VALID[:-1]),
    payload("unfinished string", VALID[:40]),
    payload("text behind", VALID + b"x"),
    payload("second object behind", VALID + b"{}"),
    payload("second object on a line of its own", VALID + b"\n" + VALID),
    payload("NUL behind", VALID + b"\0"),
    payload("NUL in front", b"\0" + VALID),
    payload("comma too many", VALID[:-1] + b",}"),
    payload("single quotes", VALID.replace(b'"', b"'")),
    payload("names without quotes", b"{iss:1}"),
    payload("comment", b"/* */" + VALID),
    payload("line comment", VALID + b"//"),
    payload("byte order mark", b"\xef\xbb\xbf" + VALID),
    payload("UTF-16", VALID.decode().encode("utf-16")),
    payload("UTF-16 without mark", VALID.decode().encode("utf-16-le")),
    payload("UTF-32", VALID.decode().encode("utf-32")),
    payload("UTF-7", b"+AHsAfQ-"),
    payload("base64url of the claims", minting.b64(VALID).encode()),
    payload("a token", minting.token().encode()),
    more("not UTF-8", b'"x":"\xff"'),
    more("not UTF-8 in a name", b'"\xff":1'),
    more("unfinished UTF-8", b'"x":"\xe2\x82"'),
    more("overlong UTF-8", b'"x":"\xc0\xaf"'),
    more("overlong NUL", b'"x":"\xc0\x80"'),
    more("surrogate in UTF-8", b'"x":"\xed\xa0\x80"'),
    more("beyond Unicode", b'"x":"\xf4\x90\x80\x80"'),
    more("lone high surrogate", b'"x":"\\ud800"'),
    more("lone low surrogate", b'"x":"\\udc00"'),
    more("surrogates swapped", b'"x":"\\udc00\\ud800"'),
    more("a pair of surrogates", b'"x":"\\ud83d\\udd11"', None),
    more("lone surrogate in a name", b'"\\ud800":1'),
    more("NUL in a string, escaped", b'"x":"\\u0000"', None),
    more("NUL in a string", b'"x":"\0"'),
    more("line end in a string", b'"x":"\n"'),
    more("unknown escape", b'"x":"\\x41"'),
    more("NaN", b'"x":NaN'),
    more("nan", b'"x":nan'),
    more("Infinity", b'"x":Infinity'),
    more("minus Infinity", b'"x":-Infinity'),
    more("1e400", b'"x":1e400'),
    more("minus 1e400", b'"x":-1e400'),
    more("1e-400", b'"x":1e-400', None),
    more("1e999999999", b'"x":1e999999999'),
    more("largest float", b'"x":1.7976931348623157e308', None),
    more("2**64", b'"x":18446744073709551616', None),
    more("4,000 digits", b'"x":' + b"9" * 4000, None),
    more("10,000 digits behind the point", b'"x":0.' + b"9" * 10_000, None),
    more("leading zero", b'"x":01'),
    more("plus", b'"x":+1'),
    more("no digit before the point", b'"x":.5'),
    more("no digit behind the point", b'"x":1.'),
    more("hexadecimal", b'"x":0x1'),
    more("minus alone", b'"x":-'),
    more("as deep as allowed", b'"x":' + b"[" * 63 + b"]" * 63, None),
    more("one deeper", b'"x":' + b"[" * 64 + b"]" * 64),
    more("objects as deep as allowed", b'"x":' + b'{"a":' * 62 + b"{}" + b"}" * 62, None),
    more("objects one deeper", b'"x":' + b'{"a":' * 63 + b"{}" + b"}" * 63),
    more("depth 5,000", b'"x":' + b"[" * 5000 + b"]" * 5000),
    more("depth 1,500 of objects", b'"x":' + b'{"a":' * 1500 + b"1" + b"}" * 1500),
    more("depth 10,000, unfinished", b'"x":' + b"[" * 10_000),
    more("depth 10,000, closed too often", b'"x":[' + b"]" * 10_000),
    more("depth 100,000", b'"x":' + b"[" * 100_000 + b"]" * 100_000, "too_large"),
    more("brackets in a string", b'"x":"' + b"[{" * 3000 + b'"', None),
    more("brackets side by side", b'"x":[' + b"[]," * 3000 + b"[]]", None),
    more("quotes escaped before brackets", b'"x":["' + b'\\"[' * 1500 + b'"]', None),
    more("a thousand members", b",".join(b'"%d":%d' % (n, n) for n in range(1000)), None),
    more(
        "names that collide in some hash tables", b",".join(b'"%d":0' % (n << 61) for n in range(300)), None
    ),
    more("10 kB of text", b'"x":"' + b"a" * 10_000 + b'"', None),
    more("a name of 10 kB", b'"' + b"a" * 10_000 + b'":1', None),
    more("__proto__", b'"__proto__":{"admin":true},"__class__":1,"constructor":1', None),
    payload("10 MB of spaces", VALID + b" " * 10_000_000, "too_large"),
]


@table(ROWS)
def test_a_payload_gets_one_decision(case: Row, caplog: pytest.LogCaptureFixture) -> None:
    check_everywhere(case, caplog)


@pytest.mark.parametrize("frames", [0, 300, 600, 800])
def test_the_verdict_about_a_deep_payload_does_not_float_with_the_callers_stack(frames: int) -> None:
    """A parser that stops where the stack ends would accept here what it refuses there."""
    server = minting.server()
    deep = minting.with_payload(VALID[:-1] + b',"x":' + b"[" * 63 + b"]" * 63 + b"}")

    def call_from(depth: int) -> str | None:
        return call_from(depth - 1) if depth else server.verify(deep).subject

    assert call_from(frames) == minting.CANARY


# -- members that are named twice ------------------------------------------------------------------------


def test_of_two_claims_of_one_name_the_last_counts() -> None:
    """RFC 7519 section 4 leaves a choice, and one parser makes it the same for every reader."""
    twice = VALID[:-1] + b',"sub":"second"}'
    assert minting.server().verify(minting.with_payload(twice)).subject == "second"


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (b'"exp":1', "expired"),
        (b'"iss":"https://attacker.test"', "issuer"),
        (b'"aud":"https://other.test"', "audience"),
        (b'"nbf":9999999999', "not_yet_valid"),
        (b'"exp":null', "missing_claim"),
        (b'"\\u0065xp":1', "expired"),
    ],
    ids=["exp", "iss", "aud", "nbf", "null", "escaped name"],
)
def test_the_check_of_a_claim_reads_the_one_that_the_application_gets(
    member: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    check_text(minting.server(), more(str(member), member, reason), caplog)


def test_a_claim_named_twice_is_accepted_where_the_last_is_sound() -> None:
    twice = b'{"exp":1,"iss":"https://attacker.test","aud":[],' + VALID[1:]
    token = minting.server().verify(minting.with_payload(twice))
    assert (token.issuer, token.claims["aud"]) == (minting.ISSUER, minting.AUDIENCE)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b'{"alg":"none","alg":"ES256"}', None),
        (b'{"alg":"ES256","alg":"none"}', "algorithm"),
        (b'{"alg":"ES256","kid":"x","kid":null}', None),
        (b'{"alg":"ES256","typ":"dpop+jwt","typ":"at+jwt"}', None),
        (b'{"alg":"ES256","crit":["exp"],"crit":null}', "critical"),
    ],
    ids=["alg, valid last", "alg, valid first", "kid", "typ", "crit"],
)
def test_of_two_header_members_of_one_name_the_last_counts(
    header: bytes, reason: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    check_text(minting.server(), token_row(str(header), minting.with_raw_header(header), reason), caplog)


def test_of_two_members_of_a_key_the_last_counts() -> None:
    """The key set is read by the same parser as the token."""
    jwk = json.dumps(minting.key_for("ES256").public_jwk())
    text = jwk.replace('"kty"', '"kty": "RSA", "use": "enc", "kty"', 1)
    assert minting.server(keys=text).verify(minting.token()).subject == minting.CANARY
    text = f'{jwk[:-1]}, "use": "enc"}}'
    server = minting.server(keys=f'{{"keys": [{text}, {json.dumps(minting.key_for("RS256").public_jwk())}]}}')
    server.verify(minting.token("RS256"))
    assert server.health()["providers"][server.providers[0].name]["keys"] == 1
