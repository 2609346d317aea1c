"""The contracts of pyproject.toml break where they should: imports are planted in a copy of the source.

Most stand in a new file, which no contract names: none has to.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "bearerguard"
LINTER: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS: dict[str, dict[str, Any]] = {contract["name"]: contract for contract in LINTER["contracts"]}

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

LAYERS = "The house stands in layers"
FRAMEWORKS = "A framework is imported only in its own room"
BASE = "A door stands on its base, and knows no other: "
PURE = "The core and the flows know no clock, socket, thread, log, event loop or HTTP client"

# (where, what is planted there, the contracts that must break and no other)
PLANTED = [
    ("flask/planted.py", "import starlette", {FRAMEWORKS}),
    ("flask/planted.py", "import bearerguard.starlette", {BASE + "starlette"}),
    ("flask/planted.py", "from bearerguard._asgi import Scope", {BASE + "_asgi"}),
    ("starlette/planted.py", "from bearerguard._wsgi import TOKEN", {BASE + "_wsgi"}),
    ("fastapi/planted.py", "import bearerguard.wsgi", {LAYERS}),
    ("starlette/planted.py", "import bearerguard.asgi", {LAYERS}),
    ("asgi.py", "import bearerguard.starlette", {BASE + "starlette"}),
    ("starlette/planted.py", "import bearerguard.fastapi", {LAYERS}),
    ("starlette/planted.py", "import fastapi", {FRAMEWORKS}),
    ("fastapi/planted.py", "import bearerguard.flask", {LAYERS}),
    ("flask/planted.py", "import bearerguard.django", {BASE + "django"}),
    ("django/planted.py", "import bearerguard.starlette", {LAYERS, BASE + "starlette"}),
    ("django/planted.py", "import rest_framework", {FRAMEWORKS}),
    ("django/planted.py", "import bearerguard.drf", {LAYERS}),
    ("drf/planted.py", "from bearerguard._wsgi import TOKEN", {BASE + "_wsgi"}),
    ("drf/planted.py", "import bearerguard.flask", {LAYERS}),
    ("litestar/planted.py", "import bearerguard.starlette", {BASE + "starlette"}),
    ("litestar/planted.py", "import starlette", {FRAMEWORKS}),
    ("aiohttp/planted.py", "from bearerguard._asgi import Scope", {BASE + "_asgi"}),
    ("aiohttp/planted.py", "import bearerguard.litestar", {LAYERS}),
    ("flask/planted.py", "import aiohttp", {FRAMEWORKS}),
    ("asgi.py", "import litestar", {FRAMEWORKS}),
    ("drf/planted.py", "import bearerguard.ninja", {LAYERS}),
    ("ninja/planted.py", "import rest_framework", {FRAMEWORKS}),
    ("asgi.py", "import starlette", {FRAMEWORKS}),
    ("wsgi.py", "import werkzeug", {FRAMEWORKS}),
    ("starlette/planted.py", "import mcp", {FRAMEWORKS}),
    ("mcp/planted.py", "import fastmcp", {FRAMEWORKS}),
    ("mcp/planted.py", "import grpc", {FRAMEWORKS}),
    ("stores/planted.py", "import redis", {FRAMEWORKS}),
    ("stores/redis/planted.py", "import valkey", {FRAMEWORKS}),
    ("stores/redis/planted.py", "from bearerguard._io import ticket", {LAYERS, "Who may know _io"}),
    ("grpc/planted.py", "import bearerguard.mcp", {LAYERS}),
    ("grpc/planted.py", "from bearerguard._asgi import Scope", {BASE + "_asgi"}),
    ("mcp/planted.py", "import bearerguard.starlette", {BASE + "starlette"}),
    ("mcp/planted.py", "import bearerguard.asgi", {LAYERS}),
    ("openapi.py", "import starlette", {FRAMEWORKS}),
    ("rules/planted.py", "def late() -> None:\n    import django", {FRAMEWORKS}),
    ("_io/planted.py", "import fastapi", {FRAMEWORKS}),
    ("cli/planted.py", "import flask", {FRAMEWORKS}),
    ("testing/planted.py", "import click", {FRAMEWORKS}),
    ("cli/planted.py", "from bearerguard._io import http", {"Who may know _io"}),
    ("wsgi.py", "from bearerguard._io import http", {"Who may know _io"}),
    ("flask/planted.py", "from bearerguard._flows import verification", {"Who may know _flows"}),
    ("starlette/planted.py", "from bearerguard._core import address", {"Who may know _core"}),
    ("asgi.py", "from bearerguard._jose import jwk", {"Who may know _jose"}),
    ("fastapi/planted.py", "from bearerguard._limits import MAX_KEYS", {"Who may know _limits"}),
    (
        "starlette/planted.py",
        "import bearerguard._layabauth",
        {"Only layabauth's two doors know what they share"},
    ),
    ("_jose/planted.py", "import bearerguard.errors", {LAYERS}),
    ("_jose/planted.py", "from bearerguard._core import address", {LAYERS, "Who may know _core"}),
    ("_core/planted.py", "import bearerguard.provider", {LAYERS}),
    ("rules/planted.py", "from bearerguard._flows import effects", {LAYERS, "Who may know _flows"}),
    ("_flows/planted.py", "from bearerguard._io import drive", {LAYERS, "Who may know _io", PURE}),
    ("_io/planted.py", "import bearerguard.server", {LAYERS}),
    ("server.py", "import bearerguard.guard", {LAYERS}),
    ("guard.py", "from bearerguard._asgi import Scope", {LAYERS, BASE + "_asgi"}),
    ("flask/planted.py", "import bearerguard.testing", {LAYERS}),
    ("testing/planted.py", "import bearerguard.cli", {LAYERS}),
    ("planted.py", "", {LAYERS}),  # a module without a place in the house
    ("planted/__init__.py", "from bearerguard._io import drive", {LAYERS, "Who may know _io"}),
    ("_flows/planted.py", "import time", {PURE}),
    ("_core/planted.py", "import threading", {PURE}),
    ("_jose/planted.py", "import httpx2", {PURE}),
]


def broken_contracts(source: Path) -> set[str]:
    """The names of the contracts that import-linter finds broken in this copy of the package."""
    run = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--no-logo", "--config", str(ROOT / "pyproject.toml")],
        cwd=source.parent,
        env={**os.environ, "PYTHONPATH": str(source.parent), "COLUMNS": "200", "NO_COLOR": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    verdicts = dict(re.findall(r"^(.+?) (KEPT|BROKEN)\b", run.stdout, re.MULTILINE))
    assert verdicts.keys() == CONTRACTS.keys(), run.stdout + run.stderr
    broken = {name for name, verdict in verdicts.items() if verdict == "BROKEN"}
    assert run.returncode == bool(broken)
    return broken


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(
        shutil.copytree(SOURCE, tmp_path / "bearerguard", ignore=shutil.ignore_patterns("__pycache__"))
    )


def test_the_source_as_it_is_keeps_every_contract(copy: Path) -> None:
    assert broken_contracts(copy) == set()


@pytest.mark.parametrize(
    ("where", "what", "broken"), PLANTED, ids=[f"{where}: {what}" for where, what, _ in PLANTED]
)
def test_a_forbidden_import_breaks_its_contract(copy: Path, where: str, what: str, broken: set[str]) -> None:
    file = copy / where
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as end:
        end.write(f"\n{what}\n")
    assert broken_contracts(copy) == broken


def test_every_contract_is_seen_to_break() -> None:
    assert set().union(*(broken for _, _, broken in PLANTED)) == CONTRACTS.keys()


def test_every_package_that_the_source_imports_is_a_dependency_or_confined_to_a_room() -> None:
    """The contract about frameworks knows them all by name: another it would let in everywhere."""
    everywhere = {"anyio", "cryptography", "httpx2", "msgspec"} | {"httpcore2"}  # the last comes with httpx2
    imported = {
        name.partition(".")[0]
        for file in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    others = imported - sys.stdlib_module_names - everywhere - {"bearerguard"}
    assert others <= set(CONTRACTS[FRAMEWORKS]["forbidden_modules"])
