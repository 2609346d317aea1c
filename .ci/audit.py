"""Asks a database of known vulnerabilities about the pinned requirements: `make audit`.

Exits with 0 where every pinned package was looked up and nothing is known, with 1 where something is known,
and with 2 where the database did not answer for all of them: no answer is never a pass.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FILES = ("requirements/test.txt", "requirements/dev.txt", "requirements/docs.txt", "requirements/fuzz.txt")


def pinned(files: tuple[str, ...]) -> list[str]:
    """The pins of all files, each once."""
    lines = {line for file in files for line in Path(file).read_text().splitlines()}
    # Without the hashes, and without the marker: what only another system installs is asked about too.
    return sorted(line.partition(" ")[0] for line in lines if not line.startswith(("#", " ")))


def ask(pins: list[str], options: list[str]) -> subprocess.CompletedProcess[str]:
    """Have pip-audit look the pins up; `options` are its own."""
    # A file of its own: one package may be pinned to different versions in different environments.
    list_of_all = Path("build/audit.txt")
    list_of_all.parent.mkdir(exist_ok=True)
    list_of_all.write_text("\n".join(pins) + "\n")
    fixed = [
        "--format=json",
        "--progress-spinner=off",
        "--no-deps",
        "--disable-pip",
        "--vulnerability-service=osv",
    ]
    command = [sys.executable, "-m", "pip_audit", *fixed, *options, "--requirement", str(list_of_all)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def main() -> int:
    pins = pinned(FILES)
    run = ask(pins, sys.argv[1:])
    try:
        answers = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (run.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        print(f"NOT CHECKED: the database of vulnerabilities could not be asked.\n{last}", file=sys.stderr)
        return 2
    known = [(one["name"], one["version"], bug) for one in answers for bug in one.get("vulns", ())]
    for name, version, bug in known:
        print(
            f"{name} {version}: {bug['id']}, mended in {', '.join(bug['fix_versions']) or 'no release yet'}"
        )
    unanswered = [one["name"] for one in answers if "skip_reason" in one]
    if unanswered or len(answers) < len(pins):
        print(f"NOT CHECKED: {len(pins) - len(answers)} left out, and {unanswered}", file=sys.stderr)
        return 2
    print(f"{len(pins)} pinned packages looked up, {len(known)} known vulnerabilities")
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
