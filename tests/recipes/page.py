"""The recipes of the page, as a reader copies them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text("utf-8")


def recipe(heading: str, number: int = 1) -> dict[str, Any]:
    """Run a block that stands under a heading, and return what it defines."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert section is not None, f"the page has no heading {heading}"
    block = re.findall(r"^```python\n(.*?)^```", section[1], re.DOTALL | re.MULTILINE)[number - 1]
    # A module's name, by which some frameworks look for files beside it.
    defined: dict[str, Any] = {"__name__": __name__}
    exec(compile(block, f"{heading}, block {number}", "exec"), defined)  # noqa: S102 - the page's own code
    return defined
