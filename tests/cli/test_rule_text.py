"""Rules as text: what is read is the rule that prints so, and nothing is ever evaluated."""

from __future__ import annotations

import pytest

from bearerguard import (
    Rule,
    any_scope,
    authenticated,
    bound,
    claim,
    client,
    fresh,
    permission,
    role,
    scope,
    subject,
)
from bearerguard.cli._rule import NotARule, rule_in

RULES = [
    scope("a"),
    scope("a", "b") & role("c"),
    any_scope("a", "b") | permission("p"),
    ~(scope("a") & role("b")) | subject("s"),
    scope("a") & (role("b") | client("c")) & bound("dpop"),
    claim("dept", "finance"),
    claim("level", 3) & claim("level", -1.5) & claim("admin", True),
    claim(["resource_access", "my.api", "roles"], "editor"),
    fresh(max_age=300, acr=["phr", "phrh"]),
    authenticated & bound(),
]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_a_rule_is_read_as_it_prints(rule: Rule) -> None:
    assert rule_in(repr(rule)) == rule
    assert rule_in(f"  {rule!r}\n") == rule


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("scope('a') and role('b')", "combined with &, | and ~"),
        ("not scope('a')", "combined with &, | and ~"),
        ("scope('a'", "cannot be read at character"),
        ("", "cannot be read"),
        ("scope", "'scope' is not a rule: write one of authenticated, any_scope"),
        ("scopes('a')", "'scopes' is not a rule"),
        ("'a'", "'a' is not a rule: write scope('a')"),
        ("scope(a)", "a is not read here"),
        ("scope()", "asks for nothing"),
        ("scope('a b')", "without spaces"),
        ("scope(x='a')", "has arguments that scope() does not take"),
        ("scope(**{'a': 1})", "'**' is not read here"),
        ("scope(*['a'])", "is not read here"),
        ("claim('dept', lambda dept: True)", "lambda dept: True is not read here"),
        ("claim('dept', b'x')", "is not read here"),
        ("claim('dept', None)", "is not read here"),
        ("scope('a') + role('b')", "is not a rule"),
        ("bound('tls')", "write bound(), bound('dpop') or bound('mtls')"),
        ("x := scope('a')", "cannot be read"),
        ("scope('a').allows", "is not a rule"),
        ("~" * 3000 + "authenticated", "at most 2000 are read"),
        ("(" * 1900, "cannot be read"),
        ("~" * 1900 + "authenticated", "cannot be read"),
        ("scope('\0')", "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_not_a_rule_is_refused_with_what_to_write(text: str, instead: str) -> None:
    with pytest.raises(NotARule) as refused:
        rule_in(text)
    assert instead in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch /tmp/evaluated')",
        "claim('a', __import__('os').getpid())",
        "[scope('a') for _ in range(9)]",
        "scope(f'{1 + 1}')",
        "scope('a') if print('evaluated') else role('b')",
        "claim('a', 'x' * 10)",
        "scope.__globals__['sys']",
        "(lambda: scope('a'))()",
    ],
)
def test_nothing_of_python_is_evaluated(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotARule):
        rule_in(text)
    assert capsys.readouterr().out == ""
