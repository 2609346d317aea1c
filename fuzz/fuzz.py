"""Feeds the targets of `tests/hostile/fuzz_targets.py`: `make fuzz SECONDS=600 TARGETS=verify`.

Starts from the committed corpus and keeps what it finds in `build/fuzz`; an input that fails
is kept there too, and `--again FILE` tries it again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests" / "hostile" / "corpus"
FOUND = ROOT / "build" / "fuzz"
NAMES = ("parser", "verify", "key_set", "authorization", "certificate", "proof", "answer")
LONGEST_INPUT = 2048
MEGABYTES = 1024
SECONDS_AN_INPUT = 5


def run(name: str, arguments: list[str]) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    with redirect_stderr(StringIO()), atheris.instrument_imports(include=["bearerguard"]):
        from tests.hostile.fuzz_targets import TARGETS

    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


def start(name: str, seconds: int) -> int:
    """Fuzz one target in a process of its own for a time; returns its exit status."""
    found = FOUND / name
    found.mkdir(parents=True, exist_ok=True)
    options = {
        "artifact_prefix": f"{found}-",
        "dict": Path(__file__).with_name("words.dict"),
        "max_len": LONGEST_INPUT,
        "max_total_time": seconds,
        "print_final_stats": 1,
        "rss_limit_mb": MEGABYTES,
        "timeout": SECONDS_AN_INPUT,
        "verbosity": 0,
    }
    flags = [f"-{option}={value}" for option, value in options.items()]
    command = [sys.executable, __file__, "--run", name, str(found), str(CORPUS / name), *flags]
    print(f"==== {name}: {seconds} s", flush=True)
    return subprocess.run(command, check=False).returncode


def main() -> int:
    """Read the command line; returns the exit status."""
    if sys.argv[1:2] == ["--run"]:
        run(sys.argv[2], sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--again", type=Path, help="an input that failed")
    parser.add_argument("targets", nargs="*", metavar="target", help=f"of {', '.join(NAMES)}; all by default")
    options = parser.parse_args()
    targets = options.targets or NAMES
    if options.again is not None:
        run(targets[0], [str(options.again)])
    failed = [name for name in targets if start(name, options.seconds) != 0]
    print(f"failed: {', '.join(failed)}" if failed else "nothing found")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
