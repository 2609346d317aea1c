"""Builds what a release is made of into build/release, and checks it. It uploads nothing.

    python .ci/release.py [TAG]

Wheel and source distribution are built twice, and have to be the same to the byte. The wheel is
installed beside the pinned packages that it stands on, and has to say the version of
pyproject.toml. The bill of materials (CycloneDX) is written from that. With a tag, given here or on
the commit, it is a release: the tag is `v` and the version, the changelog has a heading for it, and
`origin` is the repository that pyproject.toml names. Without one it is a rehearsal.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "build" / "release"


class Refused(Exception):
    """What is wrong, and what to do."""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a command printed; what it complained of is shown."""
    done = subprocess.run(
        [str(one) for one in command], cwd=cwd, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise Refused(f"{' '.join(str(one) for one in command[:4])} failed:\n{done.stdout}")
    return done.stdout


def git(*arguments: str) -> str:
    """Return what git prints; an empty text if git is not installed, or this is not a repository."""
    command = ["git", "-c", "safe.directory=*", *arguments]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return "" if done.returncode else done.stdout.strip()


# -- whether this is a release ---------------------------------------------------------------------------


def checked_tag(
    given: str | None, tags: list[str], project: dict[str, Any], changelog: str, origin: str
) -> str | None:
    """The tag of a release, None of a rehearsal.

    Args:
        given: the tag that was asked for.
        tags: those that the commit has.
        project: of pyproject.toml.
        changelog: its text.
        origin: where the repository was cloned from.

    Raises:
        Refused: the tag is not the version's, or the rest does not say the same.
    """
    version = project["version"]
    wanted = f"v{version}"
    named = [given] if given else [tag for tag in tags if re.match(r"v\d", tag)]
    if not named:
        return None
    if named != [wanted]:
        raise Refused(
            f"the tag is {', '.join(named)}, and the version in pyproject.toml is {version}: tag {wanted}, "
            "or set the version."
        )
    if given and given not in tags:
        raise Refused(f"the commit does not have the tag {given}: check out the tag.")
    if "dev" in version:
        raise Refused(f"{version} is a version that is being worked on: take .dev off before you tag.")
    if not re.search(rf"^## \[{re.escape(version)}\]", changelog, re.MULTILINE):
        raise Refused(f"CHANGELOG.md has no heading [{version}]: rename Unreleased to it.")
    if _path_of(origin) != _path_of(project["urls"]["Source"]):
        raise Refused(
            f"this is a clone of {_path_of(origin) or 'nothing'}, and project.urls in pyproject.toml names "
            f"{_path_of(project['urls']['Source'])}: what is published has to lead to where it comes from."
        )
    return wanted


def _path_of(repository: str) -> str:
    """`host/owner/name` of an address, over https or ssh."""
    rest = re.sub(r"^[a-z+]+://", "", repository)
    rest = re.sub(r"^[^@/]+@", "", rest).replace(":", "/", 1)
    return re.sub(r"(?:\.git)?/?$", "", rest).lower()


# -- what is built ---------------------------------------------------------------------------------------


def built(folder: Path) -> list[Path]:
    """The source distribution, and the wheel that is built from it."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return sorted(folder.iterdir())


def check_same(first: list[Path], second: list[Path]) -> None:
    """Two builds have to be one: whoever doubts what is published can build it, and compare.

    Raises:
        Refused: they are not.
    """
    if [(one.name, one.read_bytes()) for one in first] != [(one.name, one.read_bytes()) for one in second]:
        names = ", ".join(one.name for one in first)
        raise Refused(f"{names}: a second build is not the same, so nobody could repeat it.")


def check_links(description: str) -> None:
    """What the page of the package shows has to lead somewhere.

    Raises:
        Refused: a link is relative.
    """
    relative = re.findall(r"\]\((?![a-z]+:|#)([^)]+)\)", description)
    if relative:
        raise Refused(
            f"the page of the package links to {', '.join(relative)}: its links have to be absolute."
        )


def installed(wheel: Path, version: str, scratch: Path) -> Path:
    """An interpreter that has the wheel and the pinned packages that it stands on, and nothing else."""
    venv.create(scratch / "env", with_pip=False)
    python = scratch / "env" / "bin" / "python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--python",
        str(python),
        "install",
        "-qq",
    ]
    run(*install, "--require-hashes", "--no-deps", "-r", "requirements/runtime.txt")
    run(*install, "--no-deps", wheel)
    run(*install[:-2], "check")
    said = run(python, "-c", "import bearerguard; print(bearerguard.__version__)", cwd=scratch).strip()
    if said != version:
        raise Refused(f"the wheel says that it is {said}, and pyproject.toml says {version}.")
    return python


def main(tag: str | None = None) -> None:
    """Build and check all of it.

    Raises:
        Refused: something is not as it has to be.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    tags = git("tag", "--points-at", "HEAD").split()
    release = checked_tag(tag, tags, project, changelog, git("remote", "get-url", "origin"))
    if release and git("status", "--porcelain"):
        raise Refused("there are changes that are not committed: a release is built from what is tagged.")
    os.environ.setdefault("SOURCE_DATE_EPOCH", git("log", "-1", "--format=%ct") or "1580601600")
    shutil.rmtree(OUT, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        files = built(scratch / "once")
        check_same(files, built(scratch / "again"))
        run(sys.executable, "-m", "twine", "check", "--strict", *files)
        (wheel,) = (one for one in files if one.suffix == ".whl")
        (metadata,) = importlib.metadata.distributions(path=[str(wheel)])
        check_links(metadata.metadata["Description"])
        python = installed(wheel, project["version"], scratch)
        bill = scratch / f"{wheel.name.partition('-py3')[0]}.cdx.json"
        describe = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", "pyproject.toml"]
        run(*describe, "--mc-type", "library", "--output-reproducible", "--output-file", bill, python)
        OUT.mkdir(parents=True)
        for one in [*files, bill]:
            shutil.copyfile(one, OUT / one.name)
    sums = [f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.name}" for one in sorted(OUT.iterdir())]
    (OUT / "SHA256SUMS").write_text("\n".join(sums) + "\n")
    print("\n".join(sums))
    print(f"In {OUT.relative_to(ROOT)}: " + (release or "a rehearsal, since the commit has no tag") + ".")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Refused as problem:
        sys.exit(f"Not a release: {problem}")
