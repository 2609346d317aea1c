"""Starts an example as its users do: as a program that takes its settings from the environment."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def listening() -> socket.socket:
    """A socket on a free port of loopback; whoever connects waits until a program serves it."""
    bound = socket.create_server(("127.0.0.1", 0))
    bound.set_inheritable(True)
    return bound


@contextmanager
def running(app: str, at: socket.socket, log: Path, **settings: str) -> Generator[str]:
    """Run an ASGI application of the examples under uvicorn; yield its address."""
    command = [sys.executable, "-W", "error", "-m", "uvicorn", "--app-dir", str(EXAMPLES)]
    with log.open("w") as output:
        program = subprocess.Popen(
            [*command, "--fd", str(at.fileno()), app],
            pass_fds=[at.fileno()],
            env={**os.environ, **settings, "no_proxy": "127.0.0.1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        host, port = at.getsockname()[:2]
        yield f"http://{host}:{port}"
        assert program.poll() is None, log.read_text()
    finally:
        program.send_signal(signal.SIGINT)
        try:
            program.wait(10)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
