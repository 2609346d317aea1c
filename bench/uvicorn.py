"""Requests a second of one application under uvicorn (httptools, uvloop) and `wrk`, differently protected.

All servers are up at once and only the one under load works. Loads are short and in turn, and a percentage is
taken within a round. Both kinds of load go through the same script, which sends one token for ever or goes
round a pool three times the size of the verified-token cache. Everything stays on loopback and ends by
itself.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from bench.environments import BUILD, ROOT, environment
from bench.report import Figure, Findings
from bench.rounds import Spread
from bench.settings import Settings

CONNECTIONS = 32
LOADS = (
    ("repeated", "bare"),
    ("repeated", "nothing"),
    ("repeated", "bearerguard"),
    ("new", "bare"),
    ("new", "signature"),
    ("new", "bearerguard"),
)
Load = tuple[str, str]


def _pinned(command: list[str], position: int) -> list[str]:
    """Keep the servers on one processor and the load on another, where there are two to have."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2 or shutil.which("taskset") is None:
        return command
    return ["taskset", "-c", str(available[-1 - position]), *command]


class _Server:
    def __init__(self, python: str, kind: str, directory: Path) -> None:
        command = _pinned([python, "-m", "bench.served_app", kind, str(directory)], 0)
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


def requests_per_second(output: str) -> float:
    """Read what `wrk` printed.

    Raises:
        RuntimeError: Some answers were not 2xx, or some connections failed: then the figure means nothing.
    """
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(output)
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if found is None:
        raise RuntimeError(output)
    return float(found[1])


def _load(wrk: str, port: int, tokens: Path, seconds: int) -> float:
    command = [
        wrk,
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        "-s",
        str(ROOT / "bench" / "wrk.lua"),
        f"http://127.0.0.1:{port}/greeting",
        "--",
        str(tokens),
    ]
    done = subprocess.run(
        _pinned(command, 1), capture_output=True, text=True, check=True, timeout=seconds + 30
    )
    return requests_per_second(done.stdout)


def _percentage(taken: dict[Load, list[float]], one: Load, other: Load) -> Spread:
    return Spread.of([100 * a / b for a, b in zip(taken[one], taken[other], strict=True)])


def _figures(taken: dict[Load, list[float]]) -> list[Figure]:
    def rate(load: Load) -> str:
        return f"{Spread.of(taken[load]).median:,.0f} req/s"

    def figure(what: str, load: Load, other: Load, against: str, target: float | None) -> Figure:
        value = _percentage(taken, load, other)
        return Figure(
            f"uvicorn, {what}", value, "%", target, at_least=True, against=against, absolute=rate(load)
        )

    bare = "the same without authentication"
    return [
        figure("repeated token", ("repeated", "bearerguard"), ("repeated", "bare"), bare, 85),
        figure("a middleware that does nothing", ("repeated", "nothing"), ("repeated", "bare"), bare, None),
        figure(
            "each token new, RS256",
            ("new", "bearerguard"),
            ("new", "signature"),
            "a bare signature check",
            85,
        ),
        figure("each token new, RS256", ("new", "bearerguard"), ("new", "bare"), bare, None),
    ]


def measure(settings: Settings) -> Findings:
    """Load each application in turn.

    Args:
        settings: How long and with what; a round here is six loads, so fewer rounds are taken.

    Returns:
        The percentages with their targets, or a note where `wrk` is not installed.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        return Findings(notes=["wrk is not installed: no figures under uvicorn"])
    pool = settings.material.directory / "RS256.new.txt"
    one = BUILD / "one-token.txt"
    one.write_text(settings.material.tokens("RS256.new")[0] + "\n", "ascii")
    rounds, seconds = max(3, settings.rounds // 3), 1 if settings.rounds < 20 else 2
    kinds = dict.fromkeys(kind for _, kind in LOADS)
    servers = {kind: _Server(settings.python, kind, settings.material.directory) for kind in kinds}
    taken: dict[Load, list[float]] = {load: [] for load in LOADS}
    try:
        for kind in kinds:
            _load(wrk, servers[kind].port, pool, 1)
        end = time.monotonic() + settings.part_seconds
        for number in range(rounds):
            turn = number % len(LOADS)
            for load in LOADS[turn:] + LOADS[:turn]:
                tokens, kind = load
                taken[load].append(
                    _load(wrk, servers[kind].port, one if tokens == "repeated" else pool, seconds)
                )
            if time.monotonic() > end:
                break
    finally:
        for server in servers.values():
            server.close()
    count = len(taken[LOADS[0]])
    notes = [f"{count} rounds of {seconds} s loads, {CONNECTIONS} connections, {os.cpu_count()} processors"]
    return Findings(_figures(taken), notes=notes)
