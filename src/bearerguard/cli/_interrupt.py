"""How a command that serves goes on until somebody ends it. It serves nothing itself."""

from __future__ import annotations

import time
from typing import NoReturn

__all__ = ["until_interrupted"]


def until_interrupted() -> NoReturn:
    """Wait until Ctrl-C raises `KeyboardInterrupt`.

    It waits a second at a time: a Ctrl-C that arrives just before a wait begins is noticed only when that
    wait ends.
    """
    while True:
        time.sleep(1)
