"""The process that measures: it holds one verifier, its own floor, and the tokens, and answers line by line.

The benchmark starts one worker for every verifier, each in the virtual environment that the verifier needs,
and asks them in turn for one round. In a round every case of the worker is timed once over a batch, in an
order that rotates from round to round, so what disturbs the machine meets the floor and the verifier alike.
The garbage collector stays on, as it is in production: what existed before the first round is frozen, and
each batch starts collected, so that nobody pays for a neighbour's garbage. Protocol: a line of JSON
`{"round": 3}` in, a line `{"case": nanoseconds}` out.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from bench.cases import Case, Cases
from bench.material import Material

MAX_BATCH = 4000


def timed(case: Case, count: int) -> float:
    """Nanoseconds that one item of a batch of `count` took, after a shorter one that is not counted."""
    case.run(case.feed(max(1, count // 8)))
    batch = case.feed(count)
    gc.collect()
    length = len(batch)  # a loop may empty it
    start = case.clock()
    case.run(batch)
    return (case.clock() - start) / length


def batch_size(case: Case, milliseconds: float) -> int:
    """How many items take about `milliseconds`, found by trying."""
    count = 1
    while count < MAX_BATCH:
        spent = timed(case, count) * count / 1e6
        if spent >= milliseconds / 4:
            return max(1, min(MAX_BATCH, int(count * milliseconds / spent)))
        count *= 4
    return MAX_BATCH


def main(module: str, directory: str, milliseconds: str) -> None:
    """Serve rounds until the input ends.

    Args:
        module: The module whose `cases(material, url)` says what there is to time.
        directory: The directory of the material, a loopback URL that serves its key sets after a `|`.
        milliseconds: The length of one batch.
    """
    # Some of those measured warn about themselves at every call; what that prints is not what is measured.
    warnings.simplefilter("ignore")
    path, _, url = directory.partition("|")
    make: Callable[[Material, str], Cases] = importlib.import_module(module).cases
    cases = make(Material(Path(path)), url)
    sizes = {name: batch_size(case, float(milliseconds)) for name, case in cases.items()}
    gc.collect()
    gc.freeze()
    print(json.dumps({"cases": list(cases), "batches": sizes}), flush=True)
    names = list(cases)
    for line in sys.stdin:
        turn = json.loads(line)["round"] % len(names)
        order = names[turn:] + names[:turn]
        print(json.dumps({name: timed(cases[name], sizes[name]) for name in order}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
