"""`python -m bench [PART ...] [--quick] [--rounds N]`: run the parts, print the table, write the files.

It continues in a virtual environment of its own under build/, so that any interpreter from 3.11 on can start
it. Parts that are not named keep what an earlier run wrote of them. Nothing is asserted: the exit status says
whether the run completed, not whether a target was met.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path

from bench import environments
from bench.report import PARTS

JSON = environments.ROOT / "build" / "bench.json"
COUNTED = environments.ROOT / "build" / "instructions.json"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them by default"
    )
    parser.add_argument("--rounds", type=int, help="rounds of each part (41; 7 with --quick)")
    parser.add_argument(
        "--quick", action="store_true", help="short batches and few rounds, to see that it runs"
    )
    parser.add_argument(
        "--docs",
        action="store_true",
        help="also write docs/performance.md; every part, and `make instructions`, has to have run before",
    )
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}")
    return arguments


def main() -> None:
    """Run what the command line names."""
    arguments = _arguments()
    python = environments.python("bench")
    if Path(sys.executable) != Path(python):
        again = [python, "-m", "bench", *sys.argv[1:]]
        done = subprocess.run(again, env=environments.environment(), cwd=environments.ROOT, check=False)
        sys.exit(done.returncode)

    # From here on in the environment of the benchmark, where these can be imported.
    from bench import docs, key_sets, machine, report
    from bench.material import mint
    from bench.settings import Settings

    material = mint(environments.BUILD / "material")
    with key_sets.served(material.directory) as url:
        settings = Settings(
            rounds=arguments.rounds or (7 if arguments.quick else 41),
            batch_milliseconds=2.0 if arguments.quick else 8.0,
            part_seconds=60.0 if arguments.quick else 600.0,
            material=material,
            url=url,
            python=python,
            seeds_python=environments.python("bench-seeds"),
            node=environments.node(),
        )
        found = {}
        for part in arguments.parts or PARTS:
            print(f"measuring: {part}", file=sys.stderr, flush=True)
            found[part] = importlib.import_module(f"bench.{part}").measure(settings)
    document = report.merge(JSON, machine.describe(settings), found)
    print(report.text(document))
    if arguments.docs:
        counted = json.loads(COUNTED.read_text("utf-8")) if COUNTED.is_file() else None
        docs.write(document, counted, environments.ROOT / "docs")


if __name__ == "__main__":
    main()
