"""The virtual environments of the benchmark, made under build/ from pinned requirements.

Two are needed, because the seeds ask for an httpx and a Starlette of another time than everybody else. Both
run the interpreter that runs the benchmark. The packages of Node.js come through npm, and are left out where
there is no Node.js.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"


def environment() -> dict[str, str]:
    """The environment variables of a measuring process: the checkout importable, hashes as ever.

    It writes bytecode even where the machine is set up not to: an import is measured that finds it there.
    """
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))),
        "PYTHONHASHSEED": "0",
    }


def _stamped(stamp: Path, source: Path) -> bool:
    wanted = hashlib.sha256(source.read_bytes() + sys.version.encode()).hexdigest()
    return stamp.is_file() and stamp.read_text("ascii") == wanted


def _stamp(stamp: Path, source: Path) -> None:
    stamp.write_text(hashlib.sha256(source.read_bytes() + sys.version.encode()).hexdigest(), "ascii")


def python(name: str) -> str:
    """The interpreter of an environment with what `requirements/NAME.txt` pins, made if need be."""
    home, requirements = BUILD / name, ROOT / "requirements" / f"{name}.txt"
    interpreter = home / "bin" / "python"
    if not _stamped(home / "stamp", requirements):
        print(f"making the virtual environment for {requirements.name}", file=sys.stderr)
        venv.create(home, clear=True, with_pip=True)
        pip = [str(interpreter), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        install = [*pip, "--require-hashes", "--no-deps", "-r", str(requirements)]
        subprocess.run(install, check=True, stderr=subprocess.DEVNULL)
        _stamp(home / "stamp", requirements)
    return str(interpreter)


def node() -> str | None:
    """Node.js with the packages of bench/node, or None where there is no Node.js."""
    executable, npm = shutil.which("node"), shutil.which("npm")
    if executable is None or npm is None:
        return None
    home, source = BUILD / "node", ROOT / "bench" / "node"
    if not _stamped(home / "stamp", source / "package-lock.json"):
        home.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(source / name, home)
        subprocess.run([npm, "ci", "--ignore-scripts", "--silent"], cwd=home, check=True)
        _stamp(home / "stamp", source / "package-lock.json")
    shutil.copy(source / "worker.mjs", home)
    return executable
