"""The programs that the integration tests run, as objects to start, ask and stop. All listen on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx2

from tests.integration.certificates import write_certificates

HERE = Path(__file__).parent


class Program:
    """A program that prints lines of JSON, the first when it is ready, and ends with its standard input."""

    def __init__(self, *command: str, log: Path) -> None:
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"no_proxy": "127.0.0.1"},
            )
        try:
            self.ready = self.answer()
        except json.JSONDecodeError:
            self.stop()
            raise RuntimeError(f"{command} did not get ready:\n{log.read_text()}") from None

    def answer(self) -> Any:
        """Read its next line. A program that says nothing for a minute is killed: no JSON comes of it."""
        assert self._process.stdout is not None
        too_late = threading.Timer(60, self._process.kill)
        too_late.start()
        line = self._process.stdout.readline()
        too_late.cancel()
        return json.loads(line)

    def tell(self, line: str) -> Any:
        """Write a line to it, and read the one that it answers."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self.answer()

    def stop(self) -> None:
        """End it, and kill it where it does not end by itself. May be called again."""
        with self._process:  # closes the pipes and waits
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()


class IdentityProvider:
    """npm's oidc-provider, running. Stopped and started again it keeps its issuer and changes its keys."""

    def __init__(self, node: str, folder: Path) -> None:
        self._node = node
        self.folder = folder
        self._port = "0"
        write_certificates(folder)
        self.start()

    def start(self) -> None:
        command = (self._node, str(HERE / "provider.mjs"), self._port, str(self.folder))
        self._program = Program(*command, log=self.folder / "log")
        self.issuer: str = self._program.ready["issuer"]
        self.resources: list[str] = self._program.ready["resources"]
        self.secrets: dict[str, str] = self._program.ready["secrets"]
        self.refresh_token: str = self._program.ready["refresh"]
        self._client: tuple[str, str] = tuple(self._program.ready["client"])
        self._port = self.issuer.rpartition(":")[2]

    def stop(self) -> None:
        self._program.stop()

    def token(self, resource: str, **headers: str) -> str:
        """Ask for an access token for a resource, by client credentials (RFC 6749 section 4.4, RFC 8707)."""
        with httpx2.Client(trust_env=False, timeout=60) as http:
            metadata = http.get(f"{self.issuer}/.well-known/openid-configuration").raise_for_status().json()
            response = http.post(
                metadata["token_endpoint"],
                data={"grant_type": "client_credentials", "resource": resource, "scope": "reports:read"},
                auth=self._client,
                headers=headers,
            )
            token: str = response.raise_for_status().json()["access_token"]
        return token

    def revoke(self, token: str) -> None:
        """Revoke a token as its client does (RFC 7009)."""
        with httpx2.Client(trust_env=False, timeout=60) as http:
            url = f"{self.issuer}/token/revocation"
            http.post(url, data={"token": token}, auth=self._client).raise_for_status()


class API:
    """api.py, running under uvicorn: an API that takes tokens of one issuer, for some audiences."""

    def __init__(self, issuer: str, *audiences: str, log: Path) -> None:
        self._program = Program(
            sys.executable, "-W", "error", str(HERE / "api.py"), issuer, *audiences, log=log
        )
        self.netloc: str = self._program.ready["netloc"]

    def get(self, token: str | None) -> httpx2.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx2.get(f"http://{self.netloc}/whoami", headers=headers, trust_env=False, timeout=60)

    def advance_clock(self, seconds: float) -> None:
        """Let its clock run ahead; the provider's stays."""
        self._program.tell(str(seconds))

    def stop(self) -> None:
        self._program.stop()
