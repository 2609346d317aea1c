"""Every example of the page "Testing an API" is a test file that passes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_every_example_is_a_test_file_that_passes(pytester: pytest.Pytester) -> None:
    names = [f"test_example_{number}" for number in range(1, len(EXAMPLES) + 1)]
    pytester.makepyfile(**dict(zip(names, EXAMPLES, strict=True)))
    result = pytester.runpytest_subprocess("-v", "-W", "error")
    assert result.parseoutcomes().keys() == {"passed"}
    for name in names:
        result.stdout.fnmatch_lines_random([f"{name}.py::* PASSED*"])
