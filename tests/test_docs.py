"""Every Python block of the README and the documentation runs by itself, as a program or as a test file.

A docstring may also show a fragment, about a guard or a token at hand: it has to be Python.
"""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

import pytest

import bearerguard

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks_of_docstrings() -> dict[str, str]:
    """The fenced blocks of the source, by the name of the definition that shows them."""
    return {
        f"test_{file.parent.name}_{file.stem}_{node.name}_{number}": block
        for file in Path(*bearerguard.__path__).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for number, block in enumerate(BLOCK.findall(dedented(ast.get_docstring(node) or "")), 1)
    }


def dedented(docstring: str) -> str:
    """The same with its fenced blocks at the margin: under `Example:` they are indented."""
    return re.sub(
        r"^( +)```python\n.*?^\1```",
        lambda block: textwrap.dedent(block[0]),
        docstring,
        flags=re.DOTALL | re.MULTILINE,
    )


BLOCKS_OF_DOCSTRINGS = blocks_of_docstrings()


def is_whole(block: str) -> bool:
    """Whether it imports what it needs, so that it can be run."""
    return block.startswith(("import ", "from "))


@pytest.mark.parametrize("name", [name for name, text in BLOCKS_OF_DOCSTRINGS.items() if not is_whole(text)])
def test_every_fragment_in_a_docstring_is_python(name: str) -> None:
    compile(BLOCKS_OF_DOCSTRINGS[name], name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_every_python_block_runs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block without tests is run where pytest collects it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    blocks = {
        f"test_{page.stem.replace('-', '_')}_{number}": text
        for page in PAGES
        if page.name != "testing.md"  # tests/testing/test_page.py runs it
        for number, text in enumerate(BLOCK.findall(page.read_text("utf-8")), 1)
    }
    assert len(blocks) > 10
    blocks |= {name: text for name, text in BLOCKS_OF_DOCSTRINGS.items() if is_whole(text)}
    pytester.makepyfile(**blocks)
    result = pytester.runpytest_subprocess("-q", "-W", "error")
    assert result.parseoutcomes().keys() == {"passed"}
