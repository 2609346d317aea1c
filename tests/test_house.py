"""What holds for the repository at any time: its shape, its version, what it must not say.

These tests read files. What an installed bearerguard promises is in test_package.py.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = sorted((ROOT / "src" / "bearerguard").rglob("*.py"))
LONGEST_FILE = 450  # lines


def tracked_text() -> dict[str, str]:
    """The text of every file in version control, by path; what is not text is left out."""
    # The checkout may belong to somebody else, as in a container.
    listing = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
    paths = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split("\0")
    texts = {}
    for path in filter(None, paths):
        if (ROOT / path).is_file():
            content = (ROOT / path).read_bytes()
            if b"\0" not in content:
                texts[path] = content.decode(errors="replace")  # the inputs of the fuzzer are any bytes
    return texts


@pytest.fixture(scope="module")
def tracked() -> dict[str, str]:
    return tracked_text()


def project() -> dict[str, object]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert isinstance(table, dict)
    return table


@pytest.mark.parametrize("path", SOURCE, ids=lambda path: path.relative_to(ROOT / "src").as_posix())
def test_every_module_opens_by_saying_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"


@pytest.mark.parametrize("path", SOURCE, ids=lambda path: path.relative_to(ROOT / "src").as_posix())
def test_no_source_file_outgrows_its_reader(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST_FILE, f"{path} has {lines} lines: split it by what it is about"


def test_the_changelog_opens_with_unreleased_or_with_the_version_of_the_package() -> None:
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings, "CHANGELOG.md has no heading of a version"
    assert headings[0] in {"Unreleased", project()["version"]}


def test_pinned_requirements_are_names_and_versions_and_nothing_else() -> None:
    files = sorted((ROOT / "requirements").glob("*.txt"))
    assert files
    pin = re.compile(r"[A-Za-z0-9._-]+==[^\s;]+( ; .+)?|# .+")
    strange = [
        f"{file.name}: {line}"
        for file in files
        for line in file.read_text().splitlines()
        if not pin.fullmatch(line)
    ]
    assert strange == []


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        # Written so that this file does not match itself.
        (
            "a package registry's host",
            r"\b(?:pypi|pythonhosted|npmjs|yarnpkg|debian|crates|rubygems|anaconda)\.(?:org|com|io|net)\b",
        ),
        ("somebody's home folder", r"(?<![\w.~}])/(?:home|Users|root|work)/\w"),
    ],
    ids=["registry", "home"],
)
def test_no_tracked_file_names(what: str, pattern: str, tracked: dict[str, str]) -> None:
    found = [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in tracked.items()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert found == [], f"these lines name {what}"
