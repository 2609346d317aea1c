"""Names for parameters that have quotes, line ends or worse in them: the same in every run and every tool."""

from __future__ import annotations

import re


def plain(value: object) -> str:
    """The value with what is neither a letter, a digit nor a dash by its code."""
    return re.sub(r"[^A-Za-z0-9-]", lambda match: f"_{ord(match[0]):x}_", str(value)) or "empty"
