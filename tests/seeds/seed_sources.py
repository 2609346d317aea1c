"""The two libraries whose programs bearerguard takes over, as published: never copied into this repository.

Their source distributions are looked for in the folder `$BEARERGUARD_SEEDS`, by default `build/seeds`, and
fetched by pip where they are missing. A virtual environment with both installed is made there too. Without a
registry the tests are skipped and say so; with `BEARERGUARD_REQUIRE_SEEDS` they fail.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("BEARERGUARD_SEEDS") or ROOT / "build" / "seeds")
LAYABAUTH, MIDDLEWARE = "layabauth==7.0.0", "starlette-oauth2-api==0.2.6"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
PIP = ("-m", "pip", "--disable-pip-version-check", "--retries", "1", "--quiet")


def unavailable(what: str, problem: subprocess.CalledProcessError) -> NoReturn:
    """Skip, or fail where the seeds must be there."""
    reason = f"{what} cannot be had: {problem.stderr.strip()[-300:]}"
    if os.environ.get("BEARERGUARD_REQUIRE_SEEDS"):
        pytest.fail(reason)
    pytest.skip(reason)


def unpacked(requirement: str, folder: Path) -> Path:
    """A source distribution, unpacked into a folder below `folder`."""
    name = requirement.replace("==", "-")
    archive = FOLDER / f"{name}.tar.gz"
    if not archive.is_file():
        FOLDER.mkdir(parents=True, exist_ok=True)
        download = [
            "download",
            "--no-deps",
            "--no-binary",
            requirement.partition("==")[0],
            "--dest",
            str(FOLDER),
        ]
        try:
            run(sys.executable, *PIP, *download, requirement)
        except subprocess.CalledProcessError as problem:
            unavailable(requirement, problem)
    with tarfile.open(archive) as content:
        # As an attribute, because Python before 3.11.4, as in Debian 12, has no such argument.
        content.extraction_filter = getattr(tarfile, "data_filter", None)
        content.extractall(folder)  # noqa: S202
    return folder / name


def interpreter(requirements: Path = REQUIREMENTS, name: str = "venv") -> str:
    """The interpreter of a virtual environment in which other libraries are installed as published."""
    home = FOLDER / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    python, stamp = home / "bin" / "python", home / "stamp"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if not stamp.is_file() or stamp.read_text("ascii") != wanted:
        venv.create(home, clear=True, with_pip=True)
        try:
            run(str(python), *PIP, "install", "-r", str(requirements))
        except subprocess.CalledProcessError as problem:
            unavailable(str(requirements), problem)
        stamp.write_text(wanted, "ascii")
    return str(python)


def run(*command: str) -> str:
    """Run a program and return what it prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def renamed(source: str) -> str:
    """A program with its imports changed: to bearerguard, and from httpx to its successor."""
    source = source.replace("from starlette_oauth2_api import", "from bearerguard.starlette import")
    source = re.sub(r"\blayabauth\b", "bearerguard", source)
    return re.sub(r"^import httpx$", "import httpx2 as httpx", source, flags=re.MULTILINE)


def programs_in(readme: Path) -> list[str]:
    """The blocks of code of a README that are Python, in order."""
    blocks = re.findall(r"^```(?:python)?\n(.*?)^```", readme.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "import " in block]
