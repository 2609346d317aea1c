"""What an attacker gets who answers for the provider, or whose token a broken provider answers about."""

from __future__ import annotations

import gzip
import json
import logging
from typing import Any

import anyio
import httpx2
import pytest

from bearerguard import AuthError
from tests.challenge import challenge_of
from tests.hostile.answers import SAID, TOKEN, URL, Reply, body, reply, server
from tests.hostile.minting import ABSENT, AUDIENCE, CANARY, NOW

TROUBLE = "provider_unavailable"
JKT = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def outcome(answer: Reply, colour: str = "sync") -> str:
    """`accepted`, or the reason of the refusal, which shows nothing of the answer."""
    asked: list[str] = []

    def answering(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return answer(request)

    asking = server(answering)
    found = "accepted"
    try:
        asking.verify(TOKEN) if colour == "sync" else anyio.run(asking.averify, TOKEN, backend=colour)
    except AuthError as error:
        found = error.reason
        told = f"{error} {challenge_of(error)} {asking.health()}"
        is_trouble = error.status == 503
        shows = [secret for secret in (CANARY, TOKEN) if secret in told]
    else:
        is_trouble, shows = False, []
    assert shows == []
    assert is_trouble == (found == TROUBLE)
    # Whatever an answer says, nobody else is asked, and nobody twice.
    assert asked == [URL]
    return found


NOT_BOOLEANS: list[Any] = ["true", "false", "True", 1, 0, 1.0, None, [], [True], {}, {"active": True}, ABSENT]
NOT_DATES: list[Any] = ["1", str(NOW + 60), True, False, None, [], {}, [NOW], 2**60, -(2**60), 1e308]
NOT_SCOPES: list[Any] = [7, {}, [7], [["a"]], True]
UNKNOWN_BINDINGS: list[Any] = [{}, [], "x", 7, True, {"kid": "x"}]
# The members of an answer in place of those of a good one, and what becomes of the token.
MEMBERS: list[tuple[str, dict[str, Any], str]] = [
    ("good", {}, "accepted"),
    ("not active", {"active": False}, "inactive"),
    ("not active, and malformed", {"active": False, "exp": "x", "aud": 7, "sub": []}, "inactive"),
    *((f"active: {value!r}", {"active": value}, TROUBLE) for value in NOT_BOOLEANS),
    *(
        (f"{name}: {value!r:.20}", {name: value}, TROUBLE)
        for name in ("exp", "nbf", "iat")
        for value in NOT_DATES
    ),
    ("exp long past", {"exp": 0}, "expired"),
    ("exp before the epoch", {"exp": -1}, "expired"),
    ("exp at the end of the leeway", {"exp": NOW - 10}, "expired"),
    ("exp within the leeway", {"exp": NOW - 9.5}, "accepted"),
    ("exp a fraction", {"exp": NOW + 0.5}, "accepted"),
    ("exp absent", {"exp": ABSENT}, "accepted"),
    ("nbf ahead", {"nbf": NOW + 11}, "not_yet_valid"),
    ("iat ahead", {"iat": NOW + 11}, "not_yet_valid"),
    *(
        (f"{name}: {value!r}", {name: value}, TROUBLE)
        for name in ("iss", "sub", "client_id", "username", "jti", "token_type", "token_use", "typ")
        for value in (7, 0, True, False, [], ["text"], {}, {"text": 1})
    ),
    *(
        (f"iss: {iss!r}", {"iss": iss}, "issuer")
        for iss in ("", "https://attacker.test", "https://issuer.test/")
    ),
    ("iss in another case", {"iss": "https://ISSUER.test"}, "issuer"),
    *((f"iss: {iss!r}", {"iss": iss}, "accepted") for iss in (None, ABSENT)),
    *((f"aud: {aud!r}", {"aud": aud}, "missing_claim") for aud in (None, [], "", ABSENT)),
    *(
        (f"aud: {aud!r}", {"aud": aud}, TROUBLE)
        for aud in (7, {}, {"x": AUDIENCE}, [7], [AUDIENCE, 7], [[AUDIENCE]])
    ),
    *(
        (f"aud: {aud!r}", {"aud": aud}, "audience")
        for aud in ("x", ["x"], AUDIENCE + "/", AUDIENCE.upper(), f"{AUDIENCE} x", [f" {AUDIENCE}"], [""])
    ),
    *((f"aud: {aud!r}", {"aud": aud}, "accepted") for aud in ([AUDIENCE], ["x", AUDIENCE, AUDIENCE])),
    *((f"scope: {scope!r}", {"scope": scope}, TROUBLE) for scope in NOT_SCOPES),
    *((f"scope: {scope!r}", {"scope": scope}, "accepted") for scope in (None, "", " ", [], ["a"])),
    *(
        (f"token_type: {kind!r}", {"token_type": kind}, "type")
        for kind in ("N_A", "refresh_token", "mac", "", " Bearer", "Bearer,DPoP", "b\u0435arer", "urn:ietf:x")
    ),
    *(
        (f"token_type: {kind!r}", {"token_type": kind}, "accepted")
        for kind in ("bearer", "BEARER", None, ABSENT)
    ),
    *(
        (f"token_use: {use!r}", {"token_use": use}, "type")
        for use in ("refresh_token", "id", "", "\u0430ccess")
    ),
    ("token_use", {"token_use": "access_token"}, "accepted"),
    *(
        (f"typ: {typ!r}", {"typ": typ}, "type")
        for typ in ("Refresh", "ID", "Offline", "Logout", "Serialized-ID")
    ),
    ("typ", {"typ": "Bearer"}, "accepted"),
    ("a logout token", {"events": {"x": {}}}, "type"),
    ("an ID token", {"at_hash": "x"}, "type"),
    *(
        (f"DPoP, cnf: {cnf!r}", {"token_type": "DPoP", "cnf": cnf}, "sender_constrained")
        for cnf in (
            ABSENT,
            None,
            {},
            [],
            "x",
            {"jkt": None},
            {"kid": "x"},
            {"x5t#S256": JKT},
            {"jkt": JKT},
            {"jkt": 7},
        )
    ),
    *((f"cnf: {cnf!r}", {"cnf": cnf}, "sender_constrained") for cnf in UNKNOWN_BINDINGS),
    ("bound as plain Bearer", {"cnf": {"jkt": JKT}}, "sender_constrained"),
    ("cnf: null", {"cnf": None}, "accepted"),
    ("members that nobody knows", {"x": [{"y": [1, None, True]}], "": 0, "\u0000": 1}, "accepted"),
]


@pytest.mark.parametrize(
    ("changes", "expected"), [row[1:] for row in MEMBERS], ids=[row[0] for row in MEMBERS]
)
def test_what_becomes_of_a_token_by_the_members_of_an_answer(changes: dict[str, Any], expected: str) -> None:
    assert outcome(reply(body(**changes))) == expected


NESTED = b'{"active": true, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}"
GOOD = body()
# What comes over the wire, and what becomes of the token.
REPLIES: list[tuple[str, Reply, str]] = [
    ("empty", reply(b""), TROUBLE),
    ("only white space", reply(b"  \n"), TROUBLE),
    ("a login page", reply(b"<html><title>Log in</title></html>", content_type="text/html"), TROUBLE),
    ("a login page called JSON", reply(b"<html></html>"), TROUBLE),
    ("JSON called a page", reply(GOOD, content_type="text/html"), TROUBLE),
    ("JSON called text", reply(GOOD, content_type="text/plain"), TROUBLE),
    ("JSON called nothing", reply(GOOD, content_type=""), TROUBLE),
    (
        "JSON called a signed answer",
        reply(GOOD, content_type="application/token-introspection+jwt"),
        TROUBLE,
    ),
    ("JSON called two things", reply(GOOD, content_type="text/html, application/json"), TROUBLE),
    ("JSON with a parameter", reply(GOOD, content_type="application/json;charset=utf-8"), "accepted"),
    ("null", reply(b"null"), TROUBLE),
    ("true", reply(b"true"), TROUBLE),
    ("a list", reply(b"[" + GOOD + b"]"), TROUBLE),
    ("a string", reply(json.dumps(GOOD.decode()).encode()), TROUBLE),
    ("two objects", reply(GOOD + GOOD), TROUBLE),
    ("a BOM", reply(b"\xef\xbb\xbf" + GOOD), TROUBLE),
    ("UTF-16", reply(GOOD.decode().encode("utf-16")), TROUBLE),
    ("Latin-1", reply(GOOD.replace(b"client-1", b"\xe9")), TROUBLE),
    ("a lone surrogate", reply(GOOD.replace(b"client-1", rb"\ud800")), TROUBLE),
    ("a comment", reply(GOOD + b"// active"), TROUBLE),
    ("a comma too many", reply(GOOD.replace(b"}", b",}")), TROUBLE),
    ("NaN", reply(GOOD.replace(str(NOW + 3600).encode(), b"NaN")), TROUBLE),
    ("Infinity", reply(GOOD.replace(str(NOW + 3600).encode(), b"Infinity")), TROUBLE),
    ("1e400", reply(GOOD.replace(str(NOW + 3600).encode(), b"1e400")), TROUBLE),
    ("thousands of digits", reply(GOOD.replace(str(NOW + 3600).encode(), b"9" * 5000)), TROUBLE),
    ("active twice", reply(b'{"active": false, ' + GOOD[1:]), TROUBLE),
    ("active twice, the last false", reply(GOOD[:-1] + b', "active": false}'), TROUBLE),
    ("active twice, both false", reply(b'{"active": false, "active": false}'), TROUBLE),
    ("active twice, once escaped", reply(rb'{"\u0061ctive": false, ' + GOOD[1:]), TROUBLE),
    ("sub twice", reply(b'{"sub": "eve", ' + GOOD[1:]), TROUBLE),
    ("cnf twice", reply(b'{"cnf": {"jkt": "x"}, "cnf": null, ' + GOOD[1:]), TROUBLE),
    ("twice within", reply(b'{"x": {"y": 1, "y": 2}, ' + GOOD[1:]), TROUBLE),
    ("nested deep", reply(NESTED), TROUBLE),
    ("in another case", reply(b'{"Active": true, "ACTIVE": true}'), TROUBLE),
    ("cut off", reply(GOOD[:-5]), TROUBLE),
    ("64 KiB", reply(GOOD.ljust(64 * 1024)), "accepted"),
    ("a byte more", reply(GOOD.ljust(64 * 1024 + 1)), TROUBLE),
    ("gzip", reply(gzip.compress(GOOD), content_encoding="gzip"), "accepted"),
    ("a gzip bomb", reply(gzip.compress(GOOD.ljust(10**7)), content_encoding="gzip"), TROUBLE),
    ("not gzip", reply(GOOD, content_encoding="gzip"), TROUBLE),
    ("brotli", reply(GOOD, content_encoding="br"), TROUBLE),
    ("unsupported type", reply(b'{"error": "unsupported_token_type"}', 400), "inactive"),
    ("unsupported type, with 401", reply(b'{"error": "unsupported_token_type"}', 401), TROUBLE),
    ("unsupported type, in a list", reply(b'{"error": ["unsupported_token_type"]}', 400), TROUBLE),
    *((f"HTTP {status}, good", reply(GOOD, status), TROUBLE) for status in (201, 202, 203, 206, 226)),
    *(
        (f"HTTP {status}", reply(GOOD, status), TROUBLE)
        for status in (400, 401, 403, 404, 405, 410, 415, 429)
    ),
    *((f"HTTP {status}", reply(GOOD, status), TROUBLE) for status in (500, 501, 502, 503, 504, 599)),
    *(
        (f"HTTP {status}", reply(GOOD, status, location="https://attacker.test/introspect"), TROUBLE)
        for status in (300, 301, 302, 303, 304, 307, 308)
    ),
    ("no content", reply(b"", 204), TROUBLE),
]


@pytest.mark.parametrize("colour", ["sync", "asyncio", "trio"])
@pytest.mark.parametrize(
    ("answer", "expected"), [row[1:] for row in REPLIES], ids=[row[0] for row in REPLIES]
)
def test_what_becomes_of_a_token_by_what_comes_over_the_wire(
    answer: Reply, expected: str, colour: str
) -> None:
    assert outcome(answer, colour) == expected


def test_of_a_token_that_is_not_active_nothing_is_logged_that_the_answer_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    assert outcome(reply(body(active=False))) == "inactive"
    assert outcome(reply(body(active="true"))) == TROUBLE
    assert outcome(reply(body(error="x" * 1000, error_description=CANARY), 401)) == TROUBLE
    assert CANARY not in caplog.text
    assert TOKEN not in caplog.text
    assert "the secret of this API" not in caplog.text
    assert "x" * 100 not in caplog.text


def test_an_answer_about_another_token_is_no_part_of_this_one() -> None:
    """Nothing ties a plain answer to its question but the connection."""
    seen: list[bytes] = []

    def answering(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.content)
        return reply(body(sub=f"user-{len(seen)}"))(request)

    asking = server(answering)
    assert [asking.verify(name).subject for name in ("one", "two", "one")] == ["user-1", "user-2", "user-1"]
    assert len(seen) == 2


@pytest.mark.parametrize("member", sorted(SAID))
def test_no_member_but_active_and_the_audience_is_needed(member: str) -> None:
    expected = {"active": TROUBLE, "aud": "missing_claim"}.get(member, "accepted")
    assert outcome(reply(body(**{member: ABSENT}))) == expected
