"""What an installed bearerguard promises before it does anything: its names, its types, what it imports."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import pkgutil
import subprocess
import sys
import types

import pytest

import bearerguard

# What every program would pay for, wanted or not.
HEAVY = {"httpx2", "httpcore2", "starlette", "fastapi", "flask", "werkzeug", "django", "pytest", "trio"}


def public_names(module: types.ModuleType) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "annotations"
    }


def modules_with_all() -> list[str]:
    """Every public module that says which names are its own."""
    found = [module.name for module in pkgutil.iter_modules(bearerguard.__path__)]
    names = ["bearerguard", *(f"bearerguard.{name}" for name in found if not name.startswith("_"))]
    return [name for name in names if hasattr(importlib.import_module(name), "__all__")]


def test_the_package_says_which_names_are_public() -> None:
    assert set(bearerguard.__all__) == public_names(bearerguard)


@pytest.mark.parametrize("name", modules_with_all())
def test_every_public_name_is_there_once(name: str) -> None:
    module = importlib.import_module(name)
    assert [word for word in module.__all__ if not hasattr(module, word)] == []
    assert len(set(module.__all__)) == len(module.__all__)


def test_importing_the_package_imports_no_framework_and_no_http_client() -> None:
    # A fresh interpreter: in this one the tests have imported everything.
    program = "import sys, bearerguard; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert HEAVY & set(run.stdout.split()) == set()


def test_the_package_carries_its_types() -> None:
    assert importlib.resources.files(bearerguard).joinpath("py.typed").is_file()


def test_the_installed_version_is_known() -> None:
    assert importlib.metadata.version("bearerguard")
