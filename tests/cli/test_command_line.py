"""The command line: what it lists, what it imports, what it says where a package is missing."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bearerguard.cli
from bearerguard._extra import MissingExtra, extra

# What `pip install bearerguard` does not bring: an import of one of these fails as on a plain installation.
OF_EXTRAS = ["click", "fastapi", "flask", "pytest", "rich", "starlette", "uvicorn", "websockets", "werkzeug"]
OF_OTHER_EXTRAS = ["aiohttp", "django", "grpc", "litestar", "mcp", "opentelemetry", "redis"]


def run_without(packages: list[str], program: str) -> subprocess.CompletedProcess[str]:
    """Run a program on an interpreter to which these packages are not known."""
    # As Python has it: an import of what is None there raises ModuleNotFoundError.
    hidden = f"import sys\nfor name in {packages}:\n    sys.modules[name] = None\n"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", hidden + program], check=False, capture_output=True, text=True
    )


def run_plain(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program on an interpreter to which nothing but the library's own dependencies is known."""
    return run_without(OF_EXTRAS, program)


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run_plain(f"from bearerguard.cli import main; sys.exit(main({list(arguments)}))")


def files_of_commands() -> set[str]:
    (folder,) = bearerguard.cli.__path__
    return {file.stem for file in Path(folder).glob("*.py") if not file.stem.startswith("_")}


def test_help_lists_every_command_where_no_extra_is_installed() -> None:
    told = run_command("--help")
    assert told.returncode == 0
    listed = set(re.findall(r"^ {4}(\w+) ", told.stdout, re.MULTILINE))
    assert listed == files_of_commands()


@pytest.mark.parametrize("name", sorted(files_of_commands()))
def test_a_command_without_its_packages_says_what_to_install(name: str) -> None:
    told = run_command(name)
    assert told.returncode == (64 if name == "doctor" else 2)
    (line,) = told.stderr.splitlines()
    assert line.startswith(f"bearerguard {name}: ")
    extra = "demo" if name == "demo" else "cli"
    assert f"pip install 'bearerguard[{extra}]'" in line


@pytest.mark.parametrize("name", sorted(files_of_commands() - {"demo"}))
def test_a_command_needs_nothing_but_the_extra_that_it_names(name: str) -> None:
    others = [name for name in OF_EXTRAS if name not in ("click", "rich")] + OF_OTHER_EXTRAS
    told = run_without(others, f"from bearerguard.cli import main\nsys.exit(main([{name!r}, '--help']))")
    assert (told.returncode, told.stderr) == (0, "")


def test_a_defect_of_a_command_is_not_taken_for_a_missing_package() -> None:
    defect = "sys.modules['bearerguard.testing'] = None\n"
    crashed = run_plain(defect + "from bearerguard.cli import main\nmain(['demo'])")
    assert crashed.returncode == 1
    assert "pip install" not in crashed.stderr


def test_listing_the_commands_imports_none_of_them() -> None:
    program = (
        "import sys, bearerguard.cli as cli\ntry: cli.main(['-h'])\nexcept SystemExit: print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    imported = set(run.stdout.splitlines()[-1].split())
    assert {name for name in imported if name.startswith("bearerguard.cli.")} == set()
    assert set(OF_EXTRAS) & imported == set()


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["no-such-command"],
        ["--no-such-option"],
        ["demo", "--no-such-option"],
        ["explain", "--no-such-option"],
    ],
)
def test_what_is_not_a_command_is_refused_with_the_usage(command: list[str]) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "bearerguard", *command], check=False, capture_output=True, text=True
    )
    assert told.returncode == 2
    assert told.stderr.lower().startswith("usage: bearerguard")


def test_a_command_has_a_help_of_its_own() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "bearerguard", "demo", "--help"], check=True, capture_output=True, text=True
    )
    assert told.stdout.startswith("usage: bearerguard demo")
    assert "--once" in told.stdout


@pytest.mark.parametrize("module", ["bearerguard", "bearerguard.cli"])
def test_both_modules_are_the_console_script(module: str) -> None:
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="bearerguard")
    assert script.load() is bearerguard.cli.main
    told = [
        subprocess.run([*command, "--help"], check=True, capture_output=True, text=True).stdout
        for command in (
            [sys.executable, "-m", module],
            [sys.executable, "-c", "import sys, bearerguard.cli; sys.exit(bearerguard.cli.main())"],
        )
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize("room", ["fastapi", "flask", "starlette"])
def test_a_door_without_its_framework_says_what_to_install(room: str) -> None:
    program = (
        f"import json\ntry: import bearerguard.{room}\n"
        "except ModuleNotFoundError as missing: print(json.dumps([missing.name, str(missing)]))"
    )
    name, message = json.loads(run_plain(program).stdout)
    assert name.partition(".")[0] == room
    assert message == f"{room} is not installed: pip install 'bearerguard[{room}]'"


def test_what_bearerguard_itself_lacks_is_not_blamed_on_an_extra() -> None:
    with pytest.raises(ModuleNotFoundError) as missing, extra("demo"):
        raise ModuleNotFoundError(name="bearerguard.no_such_module")
    assert not isinstance(missing.value, MissingExtra)
