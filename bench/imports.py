"""What `import bearerguard` costs a fresh interpreter, and what it brings along.

Every figure is the time of one import statement in an interpreter of its own that has imported nothing but
what starts with it; the statements take turns. Bytecode is on disk, as after the first start of a program.
"""

from __future__ import annotations

import json
import subprocess

from bench.environments import ROOT, environment
from bench.report import Figure, Findings
from bench.rounds import Timings
from bench.settings import Settings

OURS = "bearerguard"
OTHERS = "joserfc.jwk, msgspec"
HEAVY = ("httpx2", "starlette", "fastapi", "flask", "django", "asyncio")

_PROGRAM = """
import sys, time
start = time.thread_time_ns()
import {modules}
spent = time.thread_time_ns() - start
import json
print(json.dumps([spent, [name for name in {heavy!r} if name in sys.modules]]))
"""


def imported(python: str, modules: str) -> tuple[int, list[str]]:
    """Import some modules in a fresh interpreter.

    Args:
        python: The interpreter.
        modules: What to import, separated by commas.

    Returns:
        Nanoseconds, and which heavy packages came along.
    """
    program = _PROGRAM.format(modules=modules, heavy=HEAVY)
    done = subprocess.run(
        [python, "-c", program], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=True
    )
    nanoseconds, heavy = json.loads(done.stdout)
    return nanoseconds, heavy


def measure(settings: Settings) -> Findings:
    """Take turns importing the library and what it is compared with.

    Args:
        settings: How long and with what.

    Returns:
        The ratio with its target, and a note on what the import brings along.
    """
    timings, heavy = Timings(), set()
    imported(settings.python, OURS), imported(settings.python, OTHERS)  # writes the bytecode
    for number in range(settings.rounds):
        for modules in (OURS, OTHERS) if number % 2 else (OTHERS, OURS):
            nanoseconds, brought = imported(settings.python, modules)
            timings.add({modules: nanoseconds})
            heavy |= set(brought) if modules == OURS else set()
    milliseconds = timings.microseconds(OURS).median / 1e3
    return Findings(
        figures=[
            Figure(
                f"import {OURS}",
                timings.ratio(OURS, OTHERS),
                "x",
                1.3,
                against=f"import {OTHERS}",
                absolute=f"{milliseconds:.0f} ms",
            ),
        ],
        notes=[f"brings along: {', '.join(sorted(heavy)) or 'no framework, no HTTP client, no event loop'}"],
    )
