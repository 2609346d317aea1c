"""layabauth's own tests, with the import renamed: all pass but for those that `docs/migrating.md` lists."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.seeds.migration_page import table
from tests.seeds.seed_sources import LAYABAUTH, programs_in, renamed, unpacked

CONFTEST = Path(__file__).with_name("layabauth_conftest.py")


def outcomes_of(folder: Path) -> dict[str, set[str]]:
    """Run the tests in a folder by pytest in a process of its own: the outcomes of the phases of each."""
    shutil.copy(CONFTEST, folder / "conftest.py")
    (folder / "pytest.ini").write_text("[pytest]\n")
    log = folder / "outcomes"
    log.touch()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "pytest.ini", "."]
    environment = {**os.environ, "OUTCOMES": str(log), "PYTEST_ADDOPTS": ""}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    outcomes: dict[str, set[str]] = {}
    for line in log.read_text("utf-8").splitlines():
        name, outcome = line.split("\t")
        outcomes.setdefault(name, set()).add(outcome)
    assert outcomes, run.stdout + run.stderr
    return outcomes


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    folder = unpacked(LAYABAUTH, tmp_path_factory.mktemp("layabauth")) / "tests"
    for path in folder.glob("test_*.py"):
        path.write_text(renamed(path.read_text("utf-8")), "utf-8")
    return outcomes_of(folder)


def test_all_of_them_were_run(outcomes: dict[str, set[str]]) -> None:
    files = {name.partition("::")[0] for name in outcomes}
    assert files == {
        "test_flask.py",
        "test_flask_without_expected_scopes.py",
        "test_flask_without_scopes.py",
        "test_openapi.py",
        "test_starlette.py",
    }
    assert len(outcomes) == 50


def test_those_that_do_not_pass_are_exactly_those_on_the_page(outcomes: dict[str, set[str]]) -> None:
    listed = {row[0].strip("`") for row in table("### Its tests that differ")}
    failed = {name.partition("[")[0] for name, phases in outcomes.items() if phases != {"passed"}}
    assert failed == listed


def test_a_test_on_the_page_differs_for_all_its_parameters(outcomes: dict[str, set[str]]) -> None:
    passed = {name.partition("[")[0] for name, phases in outcomes.items() if phases == {"passed"}}
    assert passed.isdisjoint(row[0].strip("`") for row in table("### Its tests that differ"))


# What the README leaves to the reader of its programs: a client, and where the test finds it.
STARLETTE_TEST = """
import starlette.testclient
from program import app

@pytest.fixture
def client():
    return starlette.testclient.TestClient(app)
"""
FLASK_TEST = """
from program import app

@pytest.fixture
def client():
    return app.test_client()
"""


@pytest.mark.parametrize(
    ("number", "client"), [(0, STARLETTE_TEST), (1, FLASK_TEST)], ids=["starlette", "flask"]
)
def test_the_programs_of_its_readme_pass_the_test_of_its_readme(
    tmp_path: Path, number: int, client: str
) -> None:
    readme = unpacked(LAYABAUTH, tmp_path / "sources") / "README.md"
    *programs, test = [renamed(program) for program in readme_programs(readme)]
    (tmp_path / "program.py").write_text(programs[number].replace("app.run()", ""), "utf-8")
    # `Authentication` is a slip of that page: its own code reads `Authorization`.
    test = test.replace("from bearerguard.testing import *", f"from bearerguard.testing import *\n{client}")
    (tmp_path / "test_readme.py").write_text(test.replace('"Authentication"', '"Authorization"'), "utf-8")
    shutil.rmtree(tmp_path / "sources")
    assert outcomes_of(tmp_path) == {"test_readme.py::test_authentication": {"passed"}}


def readme_programs(readme: Path) -> list[str]:
    programs = programs_in(readme)
    assert len(programs) == 3
    return programs
