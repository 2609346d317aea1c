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
from tests.left_out import LEFT_OUT

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAY_BE_WIDER = {"console", "promql", "text"}
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
    """The same with its fenced blocks at the margin: under `Examples:` they are indented."""
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


def _name_of(page: Path) -> str:
    """The words of its path: two folders may have a page of one name."""
    words = re.findall(r"\w+", str(page.relative_to(ROOT).with_suffix("")))
    return "_".join(words[1:] or words)


@pytest.mark.parametrize("name", [name for name, text in BLOCKS_OF_DOCSTRINGS.items() if not is_whole(text)])
def test_every_fragment_in_a_docstring_is_python(name: str) -> None:
    compile(BLOCKS_OF_DOCSTRINGS[name], name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_every_python_block_runs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block without tests is run where pytest collects it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    blocks = {
        f"test_{_name_of(page)}_{number}": text
        for page in PAGES
        if page != ROOT / "docs" / "testing.md"  # tests/testing/test_page.py runs it
        and page.parent.name != "migrating"  # tests/migrating runs them, each in its own environment
        and page.stem not in LEFT_OUT
        for number, text in enumerate(BLOCK.findall(page.read_text("utf-8")), 1)
    }
    assert len(blocks) > 10
    # The settings on Django's page are those of every block for a site.
    apps = ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "drf_spectacular"]
    settings = f"from test_django_1 import *\nINSTALLED_APPS += {apps}\nSECRET_KEY = 'a secret'\n"
    blocks |= {"site_settings": settings, "conftest": "import django\ndjango.setup()\n"}
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "site_settings")
    blocks |= {name: text for name, text in BLOCKS_OF_DOCSTRINGS.items() if is_whole(text)}
    pytester.makepyfile(**blocks)
    result = pytester.runpytest_subprocess("-q", "-W", "error")
    assert result.parseoutcomes().keys() == {"passed"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_line_of_code_is_too_wide_for_its_page(page: Path) -> None:
    """88 columns; `ruff format` sees to it in Python. What is pasted into another program may be wider."""
    fences = re.findall(r"^```(\w*)[^\n]*\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    code = [line for language, block in fences if language not in MAY_BE_WIDER for line in block.splitlines()]
    assert [line for line in code if len(line) > 88] == []
