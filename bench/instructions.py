"""`python -m bench.instructions`: count instructions under callgrind; fail where a target is missed by far.

Unlike `make bench` it asserts, because instructions are the same under any load. The profile of every batch
stays in build/bench/instructions for `callgrind_annotate`; `steps.txt` and its like there say which is which.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

from bench import callgrind, environments, first_verification, key_sets
from bench.kinds import KINDS
from bench.material import Material, mint_few
from bench.report import aligned
from bench.targets import KIND_HEADING, ROW_HEADING, Counts, Found, kind_cells, rows

OUT = environments.BUILD / "instructions"
JSON = environments.ROOT / "build" / "instructions.json"
WARM, COUNT, TURNS = 32, 64, 6
POOL = WARM + COUNT
SERVED = ("bare", "signature", "bearerguard")


def count_steps(python: str, material: Material) -> Counts:
    """The steps of `bench.steps`, by kind and step."""
    out = OUT / "steps"
    command = callgrind.command(out, [python, "-m", "bench.steps", str(material.directory)])
    printed = _output(command)
    batches = [json.loads(line) for line in printed.splitlines()]
    _list_profiles(out, [f"{kind} {step}, {count}" for kind, step, count in batches])
    return {
        f"{kind} {step}": total / count
        for (kind, step, count), total in zip(batches, callgrind.intervals(out, len(batches)), strict=True)
    }


def _ask(client: HTTPConnection, path: str, token: str = "") -> None:
    client.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    answer = client.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"the application answered {answer.status}")


def count_served(python: str, material: Material, served: str) -> Counts:
    """Requests that one of the applications of `bench.served_app` answers under uvicorn, asked from outside.

    One connection is kept and asked in sequence, so that every request is a turn of the event loop by itself.
    """
    out = OUT / served
    command = callgrind.command(
        out, [python, "-m", "bench.served_app", served, str(material.directory), "counted"]
    )
    batches = [("", "marks", 0)]
    with subprocess.Popen(
        command,
        cwd=environments.ROOT,
        env=callgrind.surroundings(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        client = HTTPConnection("127.0.0.1", int(process.stdout.readline()))

        def batch(tokens: list[str]) -> None:
            _ask(client, "/mark")
            for token in tokens:
                _ask(client, "/greeting", token)
            _ask(client, "/mark")

        batch([])
        for kind in KINDS:
            tokens = material.tokens(f"RS256.{kind}")
            for token in tokens[:1] * WARM + tokens[1:WARM]:
                _ask(client, "/greeting", token)
            for name, counted in (*[("repeated", tokens[:1] * COUNT)] * TURNS, ("new", tokens[WARM:])):
                batch(counted)
                batches.append((kind, name, COUNT))
        client.close()
        process.communicate()
    _list_profiles(out, [f"{kind} {name}, {count}" for kind, name, count in batches])
    counts: Counts = {}
    for (kind, name, count), total in list(zip(batches, callgrind.intervals(out, len(batches)), strict=True))[
        1:
    ]:
        # What a server does of its own accord only adds to a batch, so of several the smallest counts.
        counts[f"{kind} {name}"] = min(total / count, counts.get(f"{kind} {name}", math.inf))
    return counts


def count_process(python: str, name: str, program: str) -> float:
    """A whole process, from its start to its end; it has run once before, so bytecode is on disk."""
    out = OUT / name.replace(" ", "-")
    arguments = [python, "-c", program]
    subprocess.run(arguments, cwd=environments.ROOT, env=callgrind.surroundings(), check=True)
    _output(callgrind.command(out, arguments))
    return callgrind.whole(out)


def _output(command: list[str]) -> str:
    done = subprocess.run(
        command,
        cwd=environments.ROOT,
        env=callgrind.surroundings(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def _list_profiles(out: Path, batches: list[str]) -> None:
    lines = [f"{callgrind.profile_of(out, number).name:20} {batch}\n" for number, batch in enumerate(batches)]
    out.with_suffix(".txt").write_text("".join(lines), "utf-8")


def count_processes(python: str, with_trio: str, material: Material) -> Counts:
    """First verifications and imports, each in a process of its own."""
    directory, first = material.directory, first_verification
    with key_sets.served(directory) as url:
        writing = [python, "-c", first.ours_writing(directory, url)]
        subprocess.run(writing, cwd=environments.ROOT, env=callgrind.surroundings(), check=True)
        snapshot = first.ours_with_snapshot(directory, url)
        counts = {
            name: count_process(interpreter, name, program)
            for name, interpreter, program in (
                ("first", python, first.ours(directory, url)),
                ("first with trio", with_trio, first.ours(directory, url)),
                ("first with snapshot", python, snapshot),
                ("first of PyJWT", python, first.pyjwt(directory, url)),
                ("import", python, "import bearerguard"),
                ("import of the floor", python, first.CRYPTOGRAPHY_AND_MSGSPEC),
            )
        }
        printed = _output([python, "-c", first.saying_what_came_along(snapshot)])
    return {**counts, "unwanted": len(first.came_along(printed))}


def main() -> int:
    """Count, print, and say by the exit status whether a gate is missed."""
    python = environments.python("instructions")
    if Path(sys.executable) != Path(python):
        again = [python, "-m", "bench.instructions", *sys.argv[1:]]
        return subprocess.run(
            again, env=environments.environment(), cwd=environments.ROOT, check=False
        ).returncode
    if not callgrind.is_installed():
        print("valgrind is not installed: apt-get install valgrind", file=sys.stderr)
        return 2
    began = time.monotonic()
    OUT.mkdir(parents=True, exist_ok=True)
    with_trio = environments.python("instructions-trio")
    material = mint_few(OUT / "material", POOL)
    with ThreadPoolExecutor(2) as two:  # as many as a small machine has processors
        steps = two.submit(count_steps, python, material)
        served = {name: two.submit(count_served, python, material, name) for name in SERVED}
        processes = two.submit(count_processes, python, with_trio, material)
        found = Found(
            steps.result(), {name: counts.result() for name, counts in served.items()}, processes.result()
        )
    sizes = {kind: len(material.tokens(f"RS256.{kind}")[0]) for kind in KINDS}
    table = rows(found, sizes)
    print("Thousands of instructions (k), less the hash of the signature where said.\n")
    kinds = [kind_cells(found, kind, sizes[kind]) for kind in KINDS]
    print(aligned(KIND_HEADING, kinds))
    print()
    print(aligned(ROW_HEADING, (row.cells() for row in table)))
    counted = {
        "row_heading": ROW_HEADING,
        "rows": [row.cells() for row in table],
        "kind_heading": KIND_HEADING,
        "kinds": kinds,
    }
    JSON.write_text(json.dumps(counted, indent=1) + "\n", "utf-8")
    failed = [row for row in table if not row.reaches(row.gate)]
    print(f"\n{len(failed)} of {len(table)} rows failed, in {time.monotonic() - began:.0f} s")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
