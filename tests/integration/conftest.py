"""Starts what the integration tests run, and ends it.

Nothing here stands in for anything. Where Node.js or glewlwyd is missing or npm cannot install the provider,
the tests are skipped with the reason, or, with BEARERGUARD_REQUIRE_INTEGRATION=1 in the environment, fail
with it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NoReturn

import pytest

from tests.integration.glewlwyd import Glewlwyd
from tests.integration.programs import API, HERE, IdentityProvider

OLDEST_NODE = (20, 12)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "integration: runs real programs on loopback (tests/integration)")


def lacking(reason: str) -> NoReturn:
    if os.environ.get("BEARERGUARD_REQUIRE_INTEGRATION") == "1":
        pytest.fail(f"{reason} (and BEARERGUARD_REQUIRE_INTEGRATION=1)", pytrace=False)
    pytest.skip(reason)


def installed() -> dict[str, str]:
    """The versions in node_modules, by npm's own record, which it writes when an install is complete."""
    try:
        record = json.loads((HERE / "node_modules" / ".package-lock.json").read_text())
    except FileNotFoundError:
        return {}
    return {
        path.removeprefix("node_modules/"): entry["version"] for path, entry in record["packages"].items()
    }


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js, with the packages of package.json installed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        lacking("Node.js and npm are not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(map(int, version.removeprefix("v").split(".")[:2])) < OLDEST_NODE:
        lacking(f"Node.js {'.'.join(map(str, OLDEST_NODE))} or later is needed, and this is {version}")
    named = json.loads((HERE / "package.json").read_text())["dependencies"]
    wanted = {name: version.rpartition("@")[2] for name, version in named.items()}  # `npm:` is an alias
    if not wanted.items() <= installed().items():
        npm_install = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--loglevel=error"],
            cwd=HERE,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if npm_install.returncode:
            first_line, _, _ = npm_install.stderr.partition("\n")
            lacking(f"npm could not install {wanted}: {first_line}")
    return node


@pytest.fixture(scope="session")
def start_provider(
    node: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], IdentityProvider]]:
    with ExitStack() as running:

        def start() -> IdentityProvider:
            provider = IdentityProvider(node, tmp_path_factory.mktemp("provider"))
            running.callback(provider.stop)
            return provider

        yield start


@pytest.fixture(scope="session")
def start_glewlwyd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Glewlwyd]]:
    if shutil.which("glewlwyd") is None:
        lacking("glewlwyd is not installed")
    with ExitStack() as running:

        def start() -> Glewlwyd:
            provider = Glewlwyd(tmp_path_factory.mktemp("glewlwyd"))
            running.callback(provider.stop)
            return provider

        yield start


@pytest.fixture(scope="session")
def start_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., API]]:
    with ExitStack() as running:

        def start(issuer: str, *audiences: str) -> API:
            api = API(issuer, *audiences, log=tmp_path_factory.mktemp("api") / "log")
            running.callback(api.stop)
            return api

        yield start
