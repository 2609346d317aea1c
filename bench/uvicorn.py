"""Requests a second of one application under uvicorn (httptools, uvloop) and `wrk`, differently protected.

All servers are up at once and only the one under load works. Loads are short, in turn, and many, because
what else a machine does comes and goes within seconds; a percentage is taken within a round. A server
under load never idles, so on a quiet machine it answers as many requests a second as it can in a second
of processor time; that time is what counts here, for a busy machine takes none of it away. What `wrk`
counted by the clock on the wall is shown beside it. Both kinds of load go through the same script, which
sends one token for ever or goes round a pool of more tokens than the servers remember, each load from where
the last one of its server ended. Everything stays on loopback and ends by itself.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.environments import BUILD, ROOT, environment
from bench.kinds import KINDS, Kind, trusting
from bench.material import COMPARED, EXAMPLE
from bench.report import Figure, Findings
from bench.rounds import Spread
from bench.settings import Settings

CONNECTIONS = 32
LOAD_SECONDS = 0.3
SERVED = {"repeated": ("bare", "nothing", "bearerguard"), "new": ("bare", "signature", "bearerguard")}
LOADS = tuple(
    (tokens, kind.name, served)
    for kind in COMPARED
    for tokens, all_served in SERVED.items()
    for served in all_served
)
Load = tuple[str, str, str]
"""Repeated or new tokens, of which kind, for which of the servers."""


AGAINST = {"bare": "the same without authentication", "signature": "a bare signature check"}


def _pinned(command: list[str], position: int) -> list[str]:
    """Keep the servers on one processor and the load on another, the farthest that there is to have."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2 or shutil.which("taskset") is None:
        return command
    return ["taskset", "-c", str(available[position]), *command]


class _Server:
    def __init__(self, python: str, kind: str, directory: Path) -> None:
        command = _pinned([python, "-m", "bench.served_app", kind, str(directory)], -1)
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.answered: dict[Path, int] = {}

    def processor_seconds(self) -> float:
        """How long the server's only working thread has run so far."""
        return int(Path(f"/proc/{self._process.pid}/schedstat").read_text("ascii").split()[0]) / 1e9

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


@dataclass(frozen=True)
class Rate:
    """What one load brought: requests a second of the server's processor time, and by the wall clock."""

    processor: float
    wall: float


def counted(output: str) -> tuple[int, float]:
    """Read what `wrk` printed: how many requests were answered, and how many a second.

    Raises:
        RuntimeError: Some answers were not 2xx, or some connections failed: then the figures mean nothing.
    """
    requests = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if requests is None or rate is None or "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(output)
    return int(requests[1]), float(rate[1])


def _load(wrk: str, server: _Server, tokens: Path) -> Rate:
    command = [
        wrk,
        "-t1",
        f"-c{CONNECTIONS}",
        "-d60s",
        "-s",
        str(ROOT / "bench" / "wrk.lua"),
        f"http://127.0.0.1:{server.port}/greeting",
        "--",
        str(tokens),
        str(server.answered.get(tokens, 0)),
    ]
    before = server.processor_seconds()
    with subprocess.Popen(_pinned(command, 0), stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None and server.processor_seconds() == before:
            time.sleep(0.005)  # it builds its requests first, and is not to be interrupted meanwhile
        time.sleep(LOAD_SECONDS)
        output = _interrupted(process)
    requests, wall = counted(output)
    server.answered[tokens] = server.answered.get(tokens, 0) + requests
    return Rate(requests / (server.processor_seconds() - before), wall)


def _interrupted(process: subprocess.Popen[str]) -> str:
    """End `wrk`, which counts whole seconds; interrupted, it says what it has done."""
    for _ in range(30):
        process.send_signal(signal.SIGINT)  # once is not enough where it was about to go to sleep
        try:
            return process.communicate(timeout=2)[0]
        except subprocess.TimeoutExpired:
            continue
    raise RuntimeError("wrk does not end")


def _application(load: Load) -> str:
    """Which application is under a load: one that is protected trusts the provider of its tokens."""
    _, kind_name, served = load
    return trusting(KINDS[kind_name]) if served == "bearerguard" else served


def _percentage(taken: dict[Load, list[Rate]], one: Load, other: Load) -> Spread:
    return Spread.of([100 * a.processor / b.processor for a, b in zip(taken[one], taken[other], strict=True)])


def _figures(taken: dict[Load, list[Rate]]) -> list[Figure]:
    def rate(load: Load) -> str:
        return f"{Spread.of([rate.wall for rate in taken[load]]).median:,.0f} req/s"

    def figure(
        kind: Kind, what: str, load: tuple[str, str], other: str, target: float | None = None
    ) -> Figure:
        tokens, served = load
        return Figure(
            f"uvicorn, {what}, {kind.title}",
            _percentage(taken, (tokens, kind.name, served), (tokens, kind.name, other)),
            "%",
            target if kind is EXAMPLE else None,
            at_least=True,
            against=AGAINST[other],
            absolute=rate((tokens, kind.name, served)),
        )

    figures = []
    for kind in COMPARED:
        figures += [
            figure(kind, "repeated token", ("repeated", "bearerguard"), "bare", 85),
            figure(kind, "a middleware that does nothing", ("repeated", "nothing"), "bare"),
            figure(kind, "each token new, RS256", ("new", "bearerguard"), "signature", 85),
            figure(kind, "each token new, RS256", ("new", "bearerguard"), "bare"),
        ]
    return figures


def measure(settings: Settings) -> Findings:
    """Load each application in turn.

    Args:
        settings: How long and with what.

    Returns:
        The percentages with their targets, or a note where `wrk` is not installed.
    """
    wrk = shutil.which("wrk")
    if wrk is None or not Path("/proc/self/schedstat").is_file():
        return Findings(notes=["wrk is not installed, or this is not Linux: no figures under uvicorn"])
    files = {}
    for kind in COMPARED:
        files["new", kind.name] = settings.material.directory / f"RS256.{kind.name}.txt"
        files["repeated", kind.name] = one = BUILD / f"one-{kind.name}.txt"
        one.write_text(settings.material.tokens(f"RS256.{kind.name}")[0] + "\n", "ascii")
    all_served = dict.fromkeys(_application(load) for load in LOADS)
    servers = {served: _Server(settings.python, served, settings.material.directory) for served in all_served}
    taken: dict[Load, list[Rate]] = {load: [] for load in LOADS}
    try:
        for load in LOADS:
            _load(wrk, servers[_application(load)], files[load[:2]])
        end = time.monotonic() + settings.part_seconds
        for number in range(settings.rounds):
            turn = number % len(LOADS)
            for load in LOADS[turn:] + LOADS[:turn]:
                taken[load].append(_load(wrk, servers[_application(load)], files[load[:2]]))
            if time.monotonic() > end:
                break
    finally:
        for server in servers.values():
            server.close()
    count = len(taken[LOADS[0]])
    notes = [
        f"{count} rounds of {LOAD_SECONDS} s loads, {CONNECTIONS} connections, {os.cpu_count()} processors"
    ]
    return Findings(_figures(taken), notes=notes)
