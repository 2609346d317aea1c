"""What an installed bearerguard promises before it does anything: its names, its types, what it imports."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import subprocess
import sys
import types

import bearerguard

# What every program would pay for, wanted or not.
HEAVY = {"httpx2", "httpcore2", "starlette", "fastapi", "flask", "werkzeug", "django", "pytest", "trio"}


def public_names(module: types.ModuleType) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "annotations"
    }


def test_the_package_says_which_names_are_public() -> None:
    # The two are of OpenAPI 2.0: layabauth's programs import them from here, others from bearerguard.openapi.
    of_openapi = {"authorizations", "method_authorizations"}
    # Some are loaded when they are asked for.
    assert [name for name in bearerguard.__all__ if not hasattr(bearerguard, name)] == []
    assert {*bearerguard.__all__, "Any", "TYPE_CHECKING"} == public_names(bearerguard) - of_openapi


def test_importing_the_package_imports_no_framework_and_no_http_client() -> None:
    # A fresh interpreter: in this one the tests have imported everything.
    program = "import sys, bearerguard; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert HEAVY & set(run.stdout.split()) == set()


def test_the_package_carries_its_types() -> None:
    assert importlib.resources.files(bearerguard).joinpath("py.typed").is_file()


def test_the_installed_version_is_known() -> None:
    assert importlib.metadata.version("bearerguard")
