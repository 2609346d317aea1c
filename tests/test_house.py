"""What holds for the repository at any time: its shape, its version, what it must not say.

These tests read files. What an installed bearerguard promises is in test_package.py.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

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
    if (ROOT / "PKG-INFO").is_file():
        pytest.skip("a source distribution is not under version control")
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


# What stands twice, for threads and for tasks, by file: the name of the coroutine function. They may wait
# differently and decide nothing; what decides is in `_flows`, once.
TWINS = {
    "_flows/effects.py": {
        "append_async",
        "ask_async",
        "spend_async",
    },  # of a port: whoever is behind it has the two colours
    "_io/drive.py": {"aperform"},
    "_io/introspection_source.py": {"ask_async"},
    "_io/issuers.py": {"resolve_async"},  # an async function has to run on the loop of its program
    "_io/key_sources.py": {"awarm_up"},
    "_io/metadata.py": {"wait_async"},
    "_io/remote_keys.py": {"await_for", "wait_async"},
    "_io/single_flight.py": {"await_until_over"},
    "_operated.py": {"awarm_up"},
    "_io/ticket.py": {"wait_async"},
    "_io/followed_revocations.py": {"hear_async", "spend_async", "write_async"},
    "_io/revocations.py": {"hear_async", "spend_async", "write_async"},
    "_metadata.py": {"ametadata"},
    "_revokes.py": {"arevoke"},
    "endpoints.py": {"aanswer"},
    "explain/explains.py": {"aexplain"},
    "django/base.py": {"aadmit_request", "arefusal"},
    "flask/guard.py": {"_aadmit"},
    "flask/layabauth.py": {"authenticated_async"},
    "flask/views.py": {"guarded"},
    "guard.py": {"aadmit"},
    "ninja/auth.py": {"_aadmit"},
    "server.py": {
        "__aenter__",
        "__aexit__",
        "aauthenticate",
        "aclose",
        "averify",
    },
    "stores/redis/_clients.py": {"aclose"},
    "stores/redis/_commands.py": {"_arun", "arun"},
    "stores/redis/_replays.py": {"ask_async"},
    "stores/redis/store.py": {"aclose"},
    "stores/redis/_revocation_stream.py": {"append_async", "spend_async"},
    "testing/transport.py": {"handle_async_request"},
}


def test_the_page_about_the_tests_has_a_row_for_each_folder_of_them(tracked: dict[str, str]) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", tracked["tests/README.md"], re.MULTILINE)
    folders = {path.split("/")[1] for path in tracked if re.match(r"tests/\w+/", path)}
    assert sorted(rows) == sorted(folders)


def twins_in(tree: ast.Module) -> set[str]:
    """The coroutine functions of a file that has a plain function of the same name, but for the `a`."""
    plain = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    tasks = {node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)}
    return {
        name for name in tasks if plain & {name, re.sub(r"^(_*)a", r"\1", name), re.sub("_async", "", name)}
    }


def test_what_stands_twice_for_threads_and_for_tasks_is_listed() -> None:
    source = ROOT / "src" / "bearerguard"
    found = {path.relative_to(source).as_posix(): twins_in(ast.parse(path.read_text())) for path in SOURCE}
    assert {path: names for path, names in found.items() if names} == TWINS


def test_a_development_version_is_unreleased_in_the_changelog_and_any_other_has_its_date() -> None:
    heading = re.search(r"^## (.+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heading is not None, "CHANGELOG.md has no heading of a version"
    version = Version(str(project()["version"]))
    if version.is_devrelease:
        assert heading[1] == "[Unreleased]"
    else:
        assert re.fullmatch(rf"\[{re.escape(str(version))}\] - \d{{4}}-\d\d-\d\d", heading[1])


def test_the_source_distribution_has_all_that_make_needs(tracked: dict[str, str]) -> None:
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    included = {path.removeprefix("/") for path in tables["sdist"]["include"]}
    # Hatchling adds the first four; the last is about Git.
    by_itself = {"pyproject.toml", "README.md", "LICENSE", ".gitignore", ".gitattributes"}
    assert {path.partition("/")[0] for path in tracked} == included | by_itself


PINNED = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"([a-z0-9-]+)==([^\s;]+)(?: ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")
COMMENT = re.compile(r"# .*\n")


@pytest.mark.parametrize("file", PINNED, ids=lambda file: file.stem)
def test_pinned_requirements_are_names_versions_and_hashes_and_nothing_else(file: Path) -> None:
    assert re.sub(COMMENT, "", re.sub(PIN, "", file.read_text())) == ""


def test_each_list_of_wishes_is_pinned() -> None:
    wished = {file.stem for file in (ROOT / "requirements").glob("*.in")}
    assert {file.stem for file in PINNED} == wished | {"oldest", "oldest-mcp", "runtime"}  # made from others


def test_the_oldest_pins_are_the_lower_bounds_of_the_package() -> None:
    table: dict[str, Any] = project()
    # As .ci/oldest.py says: programs are beside the library, and MCP wants a newer httpx2 than it does.
    of_mcp, programs = {"mcp", "fastmcp"}, {"cli", "demo"}
    extras = table["optional-dependencies"]
    others = [lines for name, lines in extras.items() if name not in of_mcp | programs]
    assert bounds(table["dependencies"], *others).items() <= oldest("oldest").items()
    assert bounds(*(extras[name] for name in of_mcp)).items() <= oldest("oldest-mcp").items()


def bounds(*lists: list[str]) -> dict[str, SpecifierSet]:
    wishes = map(Requirement, chain(*lists))
    # A release that is left out is not a bound.
    floors = {wish.name: (one for one in wish.specifier if one.operator != "!=") for wish in wishes}
    return {
        name: SpecifierSet(",".join(map(str, of))) for name, of in floors.items() if name != "bearerguard"
    }


def oldest(file: str) -> dict[str, SpecifierSet]:
    pins = PIN.findall((ROOT / "requirements" / f"{file}.txt").read_text())
    return {name: SpecifierSet(f">={version}") for name, version, _ in pins}


def test_every_installation_from_pins_checks_the_hashes(tracked: dict[str, str]) -> None:
    # Written so that this file does not match itself.
    unchecked = [
        f"{path}: {line.strip()}"
        for path, text in tracked.items()
        for line in text.splitlines()
        if re.search(r"pip\b.* (?:-r|--requirement)[ =]\S", line) and "--require-hashes" not in line
    ]
    assert unchecked == []


def test_what_comes_from_npm_is_locked_to_hashes_and_names_no_host(tracked: dict[str, str]) -> None:
    folders = sorted(str(Path(path).parent) for path in tracked if Path(path).name == "package.json")
    assert len(folders) == 3
    for folder in folders:
        wanted = json.loads(tracked[f"{folder}/package.json"])["dependencies"]
        root, *packages = json.loads(tracked[f"{folder}/package-lock.json"])["packages"].values()
        assert root["dependencies"] == wanted
        assert packages
        assert [
            one for one in packages if "resolved" in one or not one["integrity"].startswith("sha512-")
        ] == []
        settings = tracked[f"{folder}/.npmrc"].splitlines()
        assert {"ignore-scripts=true", "omit-lockfile-registry-resolved=true"} <= set(settings)


def test_npm_installs_what_is_locked_and_runs_no_script(tracked: dict[str, str]) -> None:
    called = [
        line.strip()
        for path, text in tracked.items()
        if path.endswith((".py", "Makefile", "run"))
        for line in text.splitlines()
        if re.search(r"""\[npm, "|\bnpm (?:install|ci)\b""", line) and "lacking" not in line
    ]
    assert called
    assert [line for line in called if '"ci", "--ignore-scripts"' not in line] == []


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
