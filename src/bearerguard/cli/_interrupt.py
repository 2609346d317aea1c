"""How a command that serves goes on until somebody ends it. It serves nothing itself."""

from __future__ import annotations

import time
from typing import NoReturn

__all__ = ["until_interrupted"]


def until_interrupted() -> NoReturn:
    """Wait until Ctrl-C raises `KeyboardInterrupt`.

    By the second: Python notices one that comes just before a wait begins only when that has ended.
    """
    while True:
        time.sleep(1)
