"""What a rule refuses: told to the client and to operators as what the server refuses is."""

from __future__ import annotations

import pytest

from bearerguard import asgi
from bearerguard.rules import Rule, fresh, role, scope
from tests.hostile import minting
from tests.hostile.challenge_grammar import parse_challenge
from tests.hostile.doors import application, over_http, run
from tests.hostile.oracle import check_lines, check_silence, everything_logged, reason_logged

FIELDS = [
    (b"authorization", b"Bearer " + minting.token(roles=["reader"], auth_time=minting.NOW - 9999).encode())
]


@pytest.mark.parametrize(
    ("rule", "status", "code", "reason"),
    [
        (scope("orders:write"), 403, "insufficient_scope", "scope"),
        (role("admin"), 403, None, "denied"),
        (fresh(max_age=60), 401, "insufficient_user_authentication", "authentication"),
    ],
    ids=["scope", "role", "login"],
)
def test_a_rules_refusal_is_well_put_and_logged_with_its_reason(
    rule: Rule, status: int, code: str | None, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = asgi.Guard(minting.server()).protect(application, rule)
    with everything_logged(caplog) as records:
        answer = run(over_http(app, FIELDS))
    assert answer.status == status
    assert parse_challenge(answer.challenges[0]).get("error") == code
    assert reason_logged(records) == reason
    assert vars(records[-1])["refused_by"] == minting.ISSUER
    check_silence(answer.text, FIELDS)
    check_lines(records, FIELDS)


@pytest.mark.parametrize(
    "name", ['a"b', "a\\b", "a\r\nSet-Cookie:x", "\N{SNOWMAN}", "a b", "", "a" * 10_000], ids=ascii
)
def test_no_name_of_a_scope_breaks_a_challenge(name: str) -> None:
    """Where such a name can be configured at all."""
    try:
        rule = scope(name)
    except ValueError:
        return
    app = asgi.Guard(minting.server(), realm=name).protect(application, rule)
    assert parse_challenge(run(over_http(app, FIELDS)).challenges[0])["error"] == "insufficient_scope"
