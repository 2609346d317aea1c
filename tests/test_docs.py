"""Every Python block of the README and the documentation runs by itself, as a program or as a test file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


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
    pytester.makepyfile(**blocks)
    result = pytester.runpytest_subprocess("-q", "-W", "error")
    assert result.parseoutcomes().keys() == {"passed"}
