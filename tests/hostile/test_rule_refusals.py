"""What a rule refuses, at every guard: told to the client and to operators as what the server refuses is."""

from __future__ import annotations

import pytest

from bearerguard.rules import Rule, fresh, role, scope
from tests.doors_under_test.door import Door, bearer
from tests.doors_under_test.doors import at_every_guard
from tests.hostile import minting
from tests.hostile.oracle import check_lines, check_silence, everything_logged, reason_logged

TOKEN = minting.token(roles=["reader"], auth_time=minting.NOW - 9999)
FIELDS = [(name.lower(), value) for name, value in bearer(TOKEN)]


@pytest.mark.parametrize(
    ("rule", "status", "code", "reason"),
    [
        (scope("orders:write"), 403, "insufficient_scope", "scope"),
        (role("admin"), 403, None, "denied"),
        (fresh(max_age=60), 401, "insufficient_user_authentication", "authentication"),
    ],
    ids=["scope", "role", "login"],
)
@at_every_guard
def test_a_rules_refusal_is_well_put_and_logged_with_its_reason(
    door: Door, *, rule: Rule, status: int, code: str | None, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    opened = door.open(minting.server(), rule)
    with everything_logged(caplog) as records:
        answer = opened.get(fields=FIELDS)
    assert opened.api.entered == []
    assert answer.status == status
    assert answer.challenge.get("error") == code
    assert reason_logged(records) == reason
    told = next(record for record in records if hasattr(record, "reason"))
    assert vars(told)["provider"] == minting.ISSUER
    check_silence(answer.text, FIELDS)
    check_lines(records, FIELDS)


@pytest.mark.parametrize(
    "name", ['a"b', "a\\b", "a\r\nSet-Cookie:x", "\N{SNOWMAN}", "a b", "", "a" * 10_000], ids=ascii
)
@at_every_guard
def test_no_name_of_a_scope_breaks_a_challenge(door: Door, name: str) -> None:
    """Where such a name can be configured at all."""
    try:
        rule = scope(name)
    except ValueError:
        return
    opened = door.open(minting.server(), rule, realm=name)
    assert opened.get(fields=FIELDS).challenge["error"] == "insufficient_scope"
