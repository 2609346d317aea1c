"""A provider that nobody here wrote tells an API of a logout, and two refuse the session: uvicorn, gunicorn.

The APIs have several processes each, and share a real Redis. How long it took is told; nothing hangs on it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.programs import HERE, Program
from tests.stores.engines import PATIENCE, Engine, free_port, redis_server

pytestmark = pytest.mark.integration


class Fleet:
    """The provider, the engine and both APIs."""

    def __init__(self, node: str, folder: Path) -> None:
        self.provider = Program(node, str(HERE / "logout_provider.mjs"), log=folder / "provider.log")
        self.issuer: str = self.provider.ready["issuer"]
        self._client: tuple[str, str] = tuple(self.provider.ready["client"])
        self.engine = Engine(redis_server(), folder / "redis").start()
        self._processes: list[subprocess.Popen[bytes]] = []
        self.http = httpx2.Client(trust_env=False, timeout=60)
        self.apis: dict[str, str] = {}
        port = free_port()
        uvicorn = [
            "uvicorn",
            "--log-level",
            "warning",
            "--workers",
            "2",
            "--port",
            str(port),
            "logout_api:app",
        ]
        self._start("uvicorn", port, folder, *uvicorn)
        port = free_port()
        gunicorn = ["gunicorn", "--log-level", "warning", "--no-control-socket", "--workers", "4"]
        self._start(
            "gunicorn", port, folder, *gunicorn, "--bind", f"127.0.0.1:{port}", "logout_api:application"
        )

    def _start(self, name: str, port: int, folder: Path, *command: str) -> None:
        environment = os.environ | {"ISSUER": self.issuer, "STORE": self.engine.url, "no_proxy": "127.0.0.1"}
        with (folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], cwd=HERE, env=environment, stdout=log, stderr=log
            )
        self._processes.append(process)
        self.apis[name] = f"http://127.0.0.1:{port}"

    def token(self, session: str) -> str:
        metadata = self.http.get(f"{self.issuer}/.well-known/openid-configuration").raise_for_status().json()
        response = self.http.post(
            metadata["token_endpoint"],
            data={"grant_type": "client_credentials", "resource": "https://api.test", "scope": "orders:read"},
            auth=self._client,
            headers={"X-Session": session},
        )
        return str(response.raise_for_status().json()["access_token"])

    def log_out(self, session: str, api: str) -> Any:
        return self.provider.tell(json.dumps({"uri": f"{self.apis[api]}/logout", "sid": session}))

    def status(self, api: str, token: str) -> int:
        # A connection each: they are spread over the processes.
        headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
        return int(self.http.get(self.apis[api], headers=headers).status_code)

    def becomes(self, api: str, token: str, status: int) -> float:
        """Wait until every process answers so: many requests one after the other do.

        Returns:
            When the first of them was answered, by the monotonic clock.
        """
        deadline, row, since = time.monotonic() + PATIENCE, 0, 0.0
        while row < 40:
            try:
                row = row + 1 if self.status(api, token) == status else 0
            except httpx2.TransportError:  # it is not up yet
                time.sleep(0.1)
            now = time.monotonic()
            since = now if row == 1 else since
            assert now < deadline, f"{api} did not come to answer {status}"
        return since

    def stop(self) -> None:
        self.http.close()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(PATIENCE)
        self.engine.stop()
        self.provider.stop()


@pytest.fixture(scope="module")
def fleet(node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    running = Fleet(node, tmp_path_factory.mktemp("logout"))
    yield running
    running.stop()


@pytest.mark.parametrize("told", ["uvicorn", "gunicorn"])
def test_a_session_that_logs_out_is_refused_by_both_apis_and_another_is_not(fleet: Fleet, told: str) -> None:
    mine, other = fleet.token(f"mine at {told}"), fleet.token(f"other at {told}")
    for api in fleet.apis:
        fleet.becomes(api, mine, 200)
        fleet.becomes(api, other, 200)
    assert fleet.log_out(f"mine at {told}", told) == {"sent": True}
    begun = time.monotonic()
    with ThreadPoolExecutor() as asking:
        took = max(asking.map(lambda api: fleet.becomes(api, mine, 401), fleet.apis)) - begun
    for api in fleet.apis:
        assert fleet.status(api, other) == 200
    print(f"\ntold at {told}: refused by all six processes after {took:.2f} s")  # noqa: T201 - it is told


def test_a_provider_is_told_that_a_logout_could_not_be_noted_and_tells_again(fleet: Fleet) -> None:
    token = fleet.token("later")
    fleet.becomes("gunicorn", token, 200)
    fleet.engine.stop()
    refused = fleet.log_out("later", "gunicorn")
    assert refused["sent"] is False
    assert "503" in refused["why"]
    fleet.engine.start()
    deadline = time.monotonic() + PATIENCE
    while not fleet.log_out("later", "gunicorn")["sent"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    fleet.becomes("uvicorn", token, 401)
