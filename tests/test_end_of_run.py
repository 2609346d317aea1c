"""A run of the suite ends, whatever a test has left behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

HANGS = """
import threading
from tests.end_of_run import watch

threading.Thread(target=threading.Event().wait, name={name!r}).start()
watch({status}, seconds=0.1)
"""


@pytest.mark.parametrize(
    ("name", "status", "found"),
    [("a framework's", 0, 0), ("a framework's", 1, 1), ("bearerguard asks", 0, 1)],
    ids=["passed", "failed", "ours is left behind"],
)
def test_a_thread_that_is_left_behind_does_not_hold_it_up(name: str, status: int, found: int) -> None:
    program = HANGS.format(name=name, status=status)
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert run.returncode == found
    assert "HUNG at its end" in run.stderr
    assert "most recent call first" in run.stderr
