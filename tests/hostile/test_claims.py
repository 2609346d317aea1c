"""Every registered claim: absent, of each wrong type, of a value that only looks right, at its boundary."""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import ID_TOKEN, RFC9068, InvalidToken, ResourceServer
from bearerguard.testing import Clock
from tests.hostile import minting
from tests.hostile.minting import ABSENT, AUDIENCE, ISSUER, NOW
from tests.hostile.oracle import Row, check_everywhere, table, token_row

LEEWAY = 10


def claim(name: str, value: Any, reason: str | None) -> Row:
    """A row about one claim of an otherwise valid token."""
    shown = "absent" if value is ABSENT else ascii(value)
    shown = f"{shown[:50]} ({len(shown)})" if len(shown) > 50 else shown
    return token_row(f"{name} {shown}", minting.token(**{name: value}), reason)


def claims(name: str, reason: str | None, *values: Any) -> list[Row]:
    return [claim(name, value, reason) for value in values]


def number(name: str, text: str, reason: str | None) -> Row:
    """A row about a number as it is written, which Python's writer would not write."""
    octets = minting.text({**minting.CLAIMS, name: "@"}).replace(b'"@"', text.encode())
    shown = f"{text[:50]} ({len(text)})" if len(text) > 50 else text
    return token_row(f"{name} written {shown}", minting.with_payload(octets), reason)


NOT_STRINGS: list[Any] = [0, 1, -1, 1.5, True, False, [], [ISSUER], {}, {"x": ISSUER}]
NOT_NUMBERS: list[Any] = [
    "", "1", f"{NOW + 60}", "Infinity", "never", True, False, [], [NOW + 60], {}, {"exp": NOW + 60},
]  # fmt: skip

ISSUERS = [
    *claims("iss", None, ISSUER),
    *claims("iss", "missing_claim", ABSENT, None),
    *claims("iss", "invalid_claim", *NOT_STRINGS, [ISSUER, "https://attacker.test"]),
    *claims(
        "iss", "issuer", "", " ", ISSUER[:-1], f"{ISSUER}/", f"{ISSUER}.attacker.test",
        f"{ISSUER}@attacker.test", f" {ISSUER}", f"{ISSUER} ", f"{ISSUER}\n", f"{ISSUER}\0", ISSUER.upper(), "HTTPS://issuer.test",
        "https://ISSUER.test", "http://issuer.test", "issuer.test", "//issuer.test", f"{ISSUER}:443",
        f"{ISSUER}/.", f"{ISSUER}?", f"{ISSUER}#", f"{ISSUER}?x=1", "https://attacker.test", "https://*.test",
        "https://issuer.tes\N{CYRILLIC SMALL LETTER TE}", "https://issuer%2Etest", f"{ISSUER}\u200b", "*",
        "null",
        f"{ISSUER},https://attacker.test", f"{ISSUER} https://attacker.test", "x" * 10_000,
    ),
]  # fmt: skip

AUDIENCES = [
    *claims("aud", None, AUDIENCE, [AUDIENCE], ["https://other.test", AUDIENCE], [AUDIENCE, AUDIENCE]),
    claim("aud", [*(f"https://{n}.test" for n in range(200)), AUDIENCE], None),
    *claims("aud", "missing_claim", ABSENT, None),
    *claims("aud", "invalid_claim", 0, 1, 1.5, True, False, {}, {"aud": AUDIENCE}, {AUDIENCE: True}),
    *claims("aud", "invalid_claim", [1], [None], [[AUDIENCE]], [{}], [AUDIENCE, 1], [1, AUDIENCE], [True]),
    *claims("aud", "invalid_claim", [AUDIENCE, None], [AUDIENCE, [AUDIENCE]], [AUDIENCE, {}]),
    *claims(
        "aud", "audience", [], "", [""], " ", AUDIENCE[:-1], f"{AUDIENCE}/", AUDIENCE.upper(), f" {AUDIENCE}",
        f"{AUDIENCE} ", f"{AUDIENCE}\0", f"{AUDIENCE}/x", "https://other.test", ["https://other.test"],
        f"{AUDIENCE},https://other.test", f"https://other.test {AUDIENCE}", "*", ["*"], ISSUER, "null",
        "x" * 9000,
        [AUDIENCE[:-1], f"{AUDIENCE}/"],
    ),
]  # fmt: skip

EXPIRIES = [
    *claims(
        "exp", None, NOW + 1, NOW, NOW + 0.5, NOW - LEEWAY + 1, NOW - LEEWAY + 0.001, 2**53, 4_000_000_000
    ),
    *claims("exp", "missing_claim", ABSENT, None),
    *claims(
        "exp", "expired", NOW - LEEWAY, NOW - LEEWAY - 0.001, NOW - 3600, 0, 1, -1, -0.0, -(2**53), 1e-300
    ),
    *claims("exp", "invalid_claim", *NOT_NUMBERS, 2**53 + 1, 2**64, -(2**53) - 1, 1e300, -1e300),
    number("exp", "9" * 4000, "invalid_claim"),
    number("exp", f"-{'9' * 4000}", "invalid_claim"),
    number("exp", "9" * 5000, "malformed"),
    number("exp", f"{NOW + 60}.{'0' * 5000}", None),
    number("exp", "1.7e9", None),
    number("exp", "17E8", None),
    number("exp", "1e400", "malformed"),
    number("exp", "-1e400", "malformed"),
    number("exp", "NaN", "malformed"),
    number("exp", "Infinity", "malformed"),
    number("exp", "0x7fffffff", "malformed"),
    number("exp", "0" + str(NOW + 60), "malformed"),
    number("exp", "true", "invalid_claim"),
]

BEGINNINGS = [
    row
    for name in ("nbf", "iat")
    for row in (
        *claims(name, None, ABSENT, NOW, NOW - 1, NOW + LEEWAY, NOW + LEEWAY - 0.5, 0, -1, -(2**53), 1.5),
        *claims(name, "not_yet_valid", NOW + LEEWAY + 0.001, NOW + LEEWAY + 1, NOW + 3600, 2**53),
        *claims(name, "invalid_claim", None, *NOT_NUMBERS, 2**53 + 1, 2**64, 1e300, -1e300),
        number(name, "9" * 4000, "invalid_claim"),
        number(name, "1e400", "malformed"),
        number(name, "NaN", "malformed"),
    )
]

OTHERS = [
    *claims("sub", None, ABSENT, None, "", "x" * 5000, "\0", "a\nb"),
    *claims("sub", "invalid_claim", *NOT_STRINGS),
    *claims("jti", None, ABSENT, None, "", "x" * 5000),
    *claims("jti", "invalid_claim", *NOT_STRINGS),
    *claims(
        "cnf", "sender_constrained", None, {}, [], "", 0, False, {"jkt": "x"}, {"x5t#S256": "x"}, {"jwk": {}}
    ),
    *claims("scope", None, ABSENT, None, "", "a b", 1, True, {}, [], ["a"], [1]),
    *claims("at_hash", None, "x", 1, None),
    *claims("nonce", None, "x", 1, None),
]

ROWS = [*ISSUERS, *AUDIENCES, *EXPIRIES, *BEGINNINGS, *OTHERS]


@table(ROWS)
def test_a_claim_gets_one_decision(case: Row, caplog: pytest.LogCaptureFixture) -> None:
    check_everywhere(case, caplog)


# -- what a profile asks for beyond ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sub", "client_id", "jti", "iat"])
@pytest.mark.parametrize("value", [ABSENT, None], ids=["absent", "null"])
def test_an_access_token_of_rfc9068_without_a_required_claim_is_refused(name: str, value: Any) -> None:
    """RFC 9068, section 2.2."""
    reason = "invalid_claim" if (name, value) == ("iat", None) else "missing_claim"  # null is not a date
    assert refusal(minting.server(profile=RFC9068), minting.token(**{name: value})) == reason


@pytest.mark.parametrize("name", ["sub", "client_id", "jti"])
@pytest.mark.parametrize("value", NOT_STRINGS, ids=ascii)
def test_a_required_claim_of_rfc9068_of_another_type_is_refused(name: str, value: Any) -> None:
    assert refusal(minting.server(profile=RFC9068), minting.token(**{name: value})) == "invalid_claim"


@pytest.mark.parametrize("typ", [pytest.param(ABSENT, id="absent"), None, "JWT", "jwt", "id+jwt"])
def test_only_at_jwt_is_an_access_token_of_rfc9068(typ: Any) -> None:
    assert refusal(minting.server(profile=RFC9068), minting.token(header={"typ": typ})) == "type"


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT"])
def test_an_access_token_is_not_an_id_token(typ: str) -> None:
    assert refusal(minting.server(profile=ID_TOKEN), minting.token(header={"typ": typ})) == "type"


@pytest.mark.parametrize(
    "value", [1, True, [1], {"x": 1}, 1.0, "1", "", "USER", "user ", ["user", "x"], {}], ids=repr
)
def test_a_fixed_claim_of_another_value_or_type_is_refused(value: Any) -> None:
    server = minting.server(required_claims={"token_use": "user", "level": 1})
    assert refusal(server, minting.token(token_use=value, level=1)) == "invalid_claim"
    assert server.verify(minting.token(token_use="user", level=1)).claims["level"] == 1


@pytest.mark.parametrize("level", [True, 1.0, "1", [1]], ids=repr)
def test_one_and_true_and_1_0_are_three_values(level: Any) -> None:
    assert (
        refusal(minting.server(required_claims={"level": 1}), minting.token(level=level)) == "invalid_claim"
    )


def test_another_audience_claim_is_checked_as_strictly() -> None:
    server = minting.server(audience_claim="client_id", audience="client-1")
    assert server.verify(minting.token(aud=ABSENT)).client_id == "client-1"
    for value, reason in (("client-2", "audience"), (ABSENT, "missing_claim"), (["client-2"], "audience"),
                          ({"client-1": 1}, "invalid_claim"), (1, "invalid_claim")):  # fmt: skip
        assert refusal(server, minting.token(client_id=value)) == reason


# -- the second at which a token begins and ends -----------------------------------------------------------


@pytest.mark.parametrize("leeway", [0, 0.25, 1, 10, 300])
@pytest.mark.parametrize("exp", [NOW, NOW + 0.5], ids=["integer", "fraction"])
def test_a_token_ends_at_exp_and_leeway_exactly(leeway: float, exp: float) -> None:
    """At that instant it is past (RFC 7519, section 4.1.4: on or after)."""
    token = minting.token(exp=exp)
    for now, reason in (
        (exp + leeway - 0.001, None),
        (exp + leeway, "expired"),
        (exp + leeway + 1, "expired"),
    ):
        assert verdict(token, now, leeway) == reason


@pytest.mark.parametrize("leeway", [0, 0.25, 1, 10, 300])
@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_begins_at_its_beginning_less_leeway_exactly(leeway: float, name: str) -> None:
    claims: dict[str, Any] = {"nbf": NOW - 9999, "iat": NOW - 9999, name: NOW}
    token = minting.token(**claims)
    for now, reason in ((NOW - leeway, None), (NOW - leeway - 0.001, "not_yet_valid")):
        assert verdict(token, now, leeway) == reason


@pytest.mark.parametrize("leeway", [0, 10])
def test_a_token_that_was_accepted_ends_at_the_same_instant(leeway: float) -> None:
    """What was verified is remembered, but for no moment longer than the token is valid."""
    clock = Clock(NOW)
    server = ResourceServer(minting.issuer.provider(keys=minting.issuer.jwks(), leeway=leeway), clock=clock)
    token = minting.token(exp=NOW + 60, nbf=NOW)
    server.verify(token)
    clock.advance(60 + leeway - 0.5)
    server.verify(token)
    clock.advance(0.5)
    assert refusal(server, token) == "expired"
    clock.advance(-60 - leeway)
    server.verify(token)
    clock.advance(-leeway - 0.5)
    assert refusal(server, token) == "not_yet_valid"


def verdict(token: str, now: float, leeway: float) -> str | None:
    server = ResourceServer(
        minting.issuer.provider(keys=minting.issuer.jwks(), leeway=leeway), clock=lambda: now
    )
    try:
        server.verify(token)
    except InvalidToken as error:
        return error.reason
    return None


def refusal(server: ResourceServer, token: str) -> str:
    with pytest.raises(InvalidToken) as refused:
        server.verify(token)
    return refused.value.reason
