"""The list of attacks: every test that it names exists, and every advisory is in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+\.py)(?:::(\w+))?`", PAGE)))


def functions_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_the_list_names_is_there() -> None:
    assert len(NAMED) > 40
    for path, function in NAMED:
        assert (ROOT / path).is_file(), path
        assert not function or function in functions_in(ROOT / path), f"{path}::{function}"


def test_every_advisory_is_in_the_list() -> None:
    files = {f"tests/advisories/{path.name}" for path in (ROOT / "tests" / "advisories").glob("test_*.py")}
    assert files == {path for path, _ in NAMED if path.startswith("tests/advisories/")}


def test_every_row_has_an_attack_a_rule_and_a_test() -> None:
    rows = [
        line
        for line in PAGE.splitlines()
        if line.startswith("| ") and not line.startswith(("| ---", "| attack"))
    ]
    assert len(rows) > 35
    for row in rows:
        attack, rule, tests = (cell.strip() for cell in row.strip("|").split(" | "))
        assert attack
        assert rule
        assert re.fullmatch(r"`tests/[\w/.:]+`(, `tests/[\w/.:]+`)*", tests), row
