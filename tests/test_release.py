"""What a release promises before anybody makes one: its tag, its builds, its page, and who may publish it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CHANGELOG = "# Changelog\n\n## [1.2.0] - 2026-11-28\n"
ORIGIN = "https://code.example/team/bearerguard"


@pytest.fixture(scope="module")
def release() -> ModuleType:
    """The program `.ci/release.py`."""
    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# -- the tag ---------------------------------------------------------------------------------------------


def tagged(release: ModuleType, given: str | None = None, *tags: str, **changes: Any) -> str | None:
    project = {"version": changes.get("version", "1.2.0"), "urls": {"Source": ORIGIN}}
    changelog, origin = changes.get("changelog", CHANGELOG), changes.get("origin", ORIGIN)
    found: str | None = release.checked_tag(given, list(tags), project, changelog, origin)
    return found


def test_a_commit_without_a_tag_is_a_rehearsal(release: ModuleType) -> None:
    assert tagged(release) is None
    assert tagged(release, None, "reviewed") is None
    assert tagged(release, version="1.3.0.dev0") is None


@pytest.mark.parametrize(
    "origin", [ORIGIN, f"{ORIGIN}.git", "git@code.example:team/bearerguard.git", "ssh://git@code.example/team/bearerguard"]
)  # fmt: skip
def test_a_release_is_tagged_with_its_version(release: ModuleType, origin: str) -> None:
    assert tagged(release, None, "reviewed", "v1.2.0", origin=origin) == "v1.2.0"
    assert tagged(release, "v1.2.0", "v1.2.0", origin=origin) == "v1.2.0"


@pytest.mark.parametrize(
    ("given", "tags", "changes", "told"),
    [
        (None, ["v1.2.1"], {}, "the version in pyproject.toml is 1.2.0: tag v1.2.0"),
        (None, ["v1.2.0", "v1.1.0"], {}, "the tag is v1.2.0, v1.1.0"),
        ("1.2.0", ["1.2.0"], {}, "tag v1.2.0"),
        ("v1.2.0", [], {}, "does not have the tag v1.2.0: check out the tag"),
        ("v1.2.0.dev0", ["v1.2.0.dev0"], {"version": "1.2.0.dev0"}, "take .dev off"),
        ("v1.2.0", ["v1.2.0"], {"changelog": "## [Unreleased]\n"}, "no heading .1.2.0."),
        ("v1.2.0", ["v1.2.0"], {"origin": "https://code.example/me/fork"}, "a clone of code.example/me/fork"),
        ("v1.2.0", ["v1.2.0"], {"origin": ""}, "a clone of nothing"),
    ],
)  # fmt: skip
def test_a_tag_that_says_something_else_is_refused(
    release: ModuleType, given: str | None, tags: list[str], changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(release.Refused, match=told):
        tagged(release, given, *tags, **changes)


# -- what is built ---------------------------------------------------------------------------------------


def test_a_build_that_cannot_be_repeated_is_refused(release: ModuleType, tmp_path: Path) -> None:
    once, again = tmp_path / "once", tmp_path / "again"
    for folder, content in ((once, b"a"), (again, b"b")):
        folder.mkdir()
        (folder / "one.whl").write_bytes(content)
    release.check_same([once / "one.whl"], [once / "one.whl"])
    with pytest.raises(release.Refused, match=r"one\.whl: a second build is not the same"):
        release.check_same([once / "one.whl"], [again / "one.whl"])


def test_a_page_with_a_link_that_leads_nowhere_is_refused(release: ModuleType) -> None:
    release.check_links("[a](https://code.example/a.md) and [b](#b)")
    with pytest.raises(release.Refused, match=r"docs/a\.md: its links have to be absolute"):
        release.check_links("[a](docs/a.md)")


def test_the_links_of_the_readme_lead_to_files(release: ModuleType) -> None:
    relative = re.findall(r"\]\((?![a-z]+:|#)([^)#]+)", (ROOT / "README.md").read_text("utf-8"))
    assert relative, "with none there would be nothing to make absolute"
    assert [path for path in relative if not (ROOT / path).is_file()] == []


def test_the_version_stands_in_one_place() -> None:
    assert importlib.metadata.version("bearerguard") == PROJECT["version"]
    source = Path(importlib.util.find_spec("bearerguard").submodule_search_locations[0])  # type: ignore[union-attr, index] # it is a package
    written = [file.name for file in source.rglob("*.py") if PROJECT["version"] in file.read_text("utf-8")]
    assert written == []


def test_the_package_says_where_it_comes_from() -> None:
    urls = PROJECT["urls"]
    assert {"Documentation", "Source", "Changelog", "Security", "Issues"} <= urls.keys()
    hook = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["metadata"]["hooks"]
    [substitution] = hook["fancy-pypi-readme"]["substitutions"]
    assert substitution["replacement"].startswith(f"]({urls['Source']}/blob/v$HFPR_VERSION/")
    assert all(url.startswith(urls["Source"]) for url in urls.values())


def test_all_is_what_runs_in_production() -> None:
    extras = PROJECT["optional-dependencies"]
    [line] = extras["all"]
    named = set(line.partition("[")[2].rstrip("]").split(","))
    assert named == extras.keys() - {"all", "demo", "testing"}


def test_what_a_release_stands_on_is_pinned_as_it_is_tested() -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
        return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", text, re.MULTILINE))

    runtime = pins("runtime")
    assert {"anyio", "cryptography", "httpx2", "msgspec"} <= runtime.keys()
    tested = pins("test")
    assert {name: version for name, version in runtime.items() if tested.get(name, version) != version} == {}


# -- who may publish -------------------------------------------------------------------------------------

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_an_action_is_pinned_by_its_commit_and_says_its_version(file: Path) -> None:
    lines = [line.strip() for line in file.read_text("utf-8").splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.fullmatch(r"- uses: actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_nothing_is_published_by_itself() -> None:
    [file] = [one for one in WORKFLOWS if one.stem == "release"]
    workflow = yaml.safe_load(file.read_text("utf-8"))
    assert workflow[True] == {"workflow_dispatch": None}  # `on` is a boolean to YAML 1.1
    assert workflow["permissions"] == {}
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    assert build["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert build["permissions"] == {"contents": "read"}
    assert publish["permissions"] == {"contents": "read", "id-token": "write"}
    assert (publish["needs"], publish["environment"]) == ("build", "release")
    steps = [(name, str(step)) for name, job in workflow["jobs"].items() for step in job["steps"]]
    assert [name for name, step in steps if "twine upload" in step] == ["publish"]
    assert "secrets." not in file.read_text("utf-8")
    # A tag is a text that somebody chose: it reaches a shell only as a variable.
    assert "${{" not in file.read_text("utf-8")


def test_only_the_workflow_uploads() -> None:
    for path in ("Makefile", ".ci/run", ".ci/release.py"):
        assert "upload" not in (ROOT / path).read_text("utf-8").replace("It uploads nothing.", ""), path
