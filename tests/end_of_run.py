"""What ends a run whose tests are over and whose program does not end: it says where each thread is.

A thread that some framework left behind must not hold up `.ci/run` for hours, nor fail tests that passed. One
of ours must not be left behind: then the run fails, and so it does where the interpreter itself hangs.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time

PATIENCE = 60.0
"""Seconds from the last test to the end of the program, which takes less than one."""


def watch(status: int, *, seconds: float = PATIENCE) -> None:
    """End this program, if it has not ended by itself after so many seconds.

    Args:
        status: of the tests, which is that of the program.
        seconds: how long it may take.
    """
    # The thread below cannot run any more once the interpreter itself is ending.
    faulthandler.dump_traceback_later(seconds + PATIENCE, exit=True)
    threading.Thread(target=_end, args=(status, seconds), name="end of run", daemon=True).start()


def _end(status: int, seconds: float) -> None:
    time.sleep(seconds)
    left = [one.name for one in threading.enumerate() if not one.daemon]
    ours = [name for name in left if name.startswith("bearerguard")]
    stderr = sys.__stderr__
    if stderr is not None:
        print(f"HUNG at its end, {seconds:g} s after the last test. Of bearerguard: {ours}", file=stderr)
        faulthandler.dump_traceback(stderr, all_threads=True)
        stderr.flush()
    os._exit(status or (1 if ours else 0))
