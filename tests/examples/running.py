"""Starts an example as its users do: as a program that takes its settings from the environment."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx2
from websockets.sync.client import ClientConnection, connect

EXAMPLES = Path(__file__).parents[2] / "examples"
README = (EXAMPLES / "README.md").read_text("utf-8")
COMMANDS = {
    line.rpartition(" ")[2].removesuffix(":app"): shlex.split(line)
    for line in re.findall(r"^(?:uvicorn|gunicorn) .*_app:app$", README, re.MULTILINE)
}
"""The command that starts each example, by its module."""


def listening() -> socket.socket:
    """A socket on a free port of loopback, for a server that is started next."""
    bound = socket.create_server(("127.0.0.1", 0))
    bound.set_inheritable(True)
    return bound


def running(app: str, at: socket.socket, log: Path, **settings: str) -> AbstractContextManager[str]:
    """Run an ASGI application of the examples under uvicorn; yield its address."""
    return serving(
        ["uvicorn", "--app-dir", str(EXAMPLES), "--fd", str(at.fileno()), app], at, log, **settings
    )


@contextmanager
def serving(command: list[str], at: socket.socket, log: Path, **settings: str) -> Generator[str]:
    """Run a server, by its module and arguments, that serves an API at a socket; yield the API's address.

    Whoever connects too early waits until the server is there, and is told if it never will be.
    """
    host, port = at.getsockname()[:2]
    with log.open("w") as output:
        program = subprocess.Popen(
            [sys.executable, "-m", *command],
            pass_fds=[at.fileno()],
            env={**os.environ, **settings, "no_proxy": "127.0.0.1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    at.close()  # the server has its own
    try:
        yield f"http://{host}:{port}"
        assert program.poll() is None, log.read_text()
    finally:
        program.send_signal(signal.SIGINT)
        try:
            program.wait(60)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def watching(api: httpx2.Client, **headers: str) -> ClientConnection:
    """Watch the orders of an API over a WebSocket."""
    address = f"ws://{api.base_url.netloc.decode()}/orders/watch"
    return connect(address, additional_headers=headers, proxy=None)
