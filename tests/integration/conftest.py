"""The programs of the integration tests, started on loopback: npm's oidc-provider, and an API under uvicorn.

Nothing here stands in for anything. Where Node.js is missing or npm cannot install the provider, the tests
are skipped with the reason, or, with BEARERGUARD_REQUIRE_INTEGRATION=1 in the environment, fail with it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import httpx2
import pytest

HERE = Path(__file__).parent
OLDEST_NODE = (20, 12)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "integration: runs real programs on loopback (tests/integration)")


class Program:
    """A program that prints one line of JSON when it is ready and ends when its standard input does."""

    def __init__(self, *command: str, log: Path) -> None:
        self.command = command
        self.log = log
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> dict[str, Any]:
        """Starts it and returns what it printed; raises with its standard error if it does not get ready."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"no_proxy": "127.0.0.1"},
            )
        too_late = threading.Timer(20, self.process.kill)
        too_late.start()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        too_late.cancel()
        if not line:
            self.stop()
            raise RuntimeError(f"{self.command} did not get ready:\n{self.log.read_text()}")
        ready: dict[str, Any] = json.loads(line)
        return ready

    def stop(self) -> None:
        """Ends it, and kills it if it does not end by itself; does nothing if it has not been started."""
        if self.process is not None:
            with self.process:  # closes the pipes, and so asks it to end
                assert self.process.stdin is not None
                self.process.stdin.close()
                try:
                    self.process.wait(5)
                except subprocess.TimeoutExpired:
                    self.process.kill()
            self.process = None


class IdentityProvider:
    """npm's oidc-provider, running. Stopped and started again it keeps its issuer and changes its keys."""

    def __init__(self, node: str, log: Path) -> None:
        self.node = node
        self.log = log
        self.port = "0"
        self.start()

    def start(self) -> None:
        self.program = Program(self.node, str(HERE / "provider.mjs"), self.port, log=self.log)
        ready = self.program.start()
        self.issuer: str = ready["issuer"]
        self.resources: list[str] = ready["resources"]
        self.client: tuple[str, str] = tuple(ready["client"])
        self.port = self.issuer.rpartition(":")[2]

    def stop(self) -> None:
        self.program.stop()

    def token(self, resource: str, **headers: str) -> str:
        """Asks for an access token for a resource, by client credentials (RFC 6749 section 4.4, RFC 8707)."""
        with httpx2.Client(trust_env=False) as http:
            metadata = http.get(f"{self.issuer}/.well-known/openid-configuration").raise_for_status().json()
            response = http.post(
                metadata["token_endpoint"],
                data={"grant_type": "client_credentials", "resource": resource, "scope": "reports:read"},
                auth=self.client,
                headers=headers,
            )
            token: str = response.raise_for_status().json()["access_token"]
        return token


class API:
    """api.py, running under uvicorn: an API that takes tokens of one issuer, for some audiences."""

    def __init__(self, issuer: str, *audiences: str, log: Path) -> None:
        self.program = Program(
            sys.executable, "-W", "error", str(HERE / "api.py"), issuer, *audiences, log=log
        )
        self.netloc: str = self.program.start()["netloc"]

    def get(self, token: str | None) -> httpx2.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx2.get(f"http://{self.netloc}/whoami", headers=headers, trust_env=False)

    def stop(self) -> None:
        self.program.stop()


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
        path.removeprefix("node_modules/"): package["version"] for path, package in record["packages"].items()
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
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    if not wanted.items() <= installed().items():
        npm_install = subprocess.run(
            [npm, "install", "--loglevel=error"],
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
            provider = IdentityProvider(node, tmp_path_factory.mktemp("provider") / "log")
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
