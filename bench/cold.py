"""Cold starts: a process until its first token is verified, and an event loop that waits for its first key.

A process is measured from its start to its end, in the processor time that the system accounts it, beside one
that does the same with PyJWT. A turn of an event loop is what lies between two looks at its sockets: nobody
else is served meanwhile. Its processor time is that of the loop's thread.
"""

from __future__ import annotations

import asyncio
import json
import resource
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import first_verification, key_sets, requests
from bench.environments import ROOT, environment
from bench.kinds import KINDS
from bench.material import COMPARED, Material
from bench.report import Figure, Findings
from bench.rounds import Spread, Timings
from bench.settings import Settings

WAITING = 200
OURS, SNAPSHOT, PYJWT = "bearerguard", "bearerguard with a snapshot", "PyJWT"


class TimedSelector(selectors.DefaultSelector):
    """The selector of an event loop, which notes how long its turns take."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0
        self._since = time.thread_time_ns()

    def select(self, timeout: float | None = None) -> Any:
        """End a turn, wait, and begin another."""
        self.longest = max(self.longest, time.thread_time_ns() - self._since)
        ready = super().select(timeout)
        self._since = time.thread_time_ns()
        return ready


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Any) -> None:
    if message.get("status", 200) != 200:
        raise RuntimeError(f"the application answered {message['status']}")


def longest_turn(directory: str, url: str, name: str) -> int:
    """Nanoseconds of the longest turn while requests with a token each wait for the same first key."""
    from bearerguard import Provider, ResourceServer
    from bearerguard.starlette import AuthenticateMiddleware

    kind = KINDS[name]
    provider = Provider(
        kind.issuer, audience=kind.audience, keys=f"{url}/RS256.{name}.jwks.json", **kind.options
    )
    app = AuthenticateMiddleware(requests.application(), server=ResourceServer(provider))
    scopes = [requests.request_scope(t) for t in Material(Path(directory)).tokens(f"RS256.{name}")[:WAITING]]
    selector = TimedSelector()

    async def wait_all() -> None:
        await asyncio.gather(*(app(scope, _receive, _send) for scope in scopes))

    loop = asyncio.SelectorEventLoop(selector)
    try:
        loop.run_until_complete(wait_all())
    finally:
        loop.close()
    return selector.longest


def _process(python: str, program: str) -> float:
    """Nanoseconds of processor time of a whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, "-c", program], cwd=ROOT, env=environment(), check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e9


def _turn(settings: Settings, url: str, name: str) -> float:
    command = [settings.python, "-m", "bench.cold", str(settings.material.directory), url, name]
    done = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    return float(json.loads(done.stdout)) / 1e6


def measure(settings: Settings) -> Findings:
    """Start processes in turn.

    Args:
        settings: How long and with what.

    Returns:
        The first verification beside PyJWT's, and the longest turns with their target.
    """
    directory, rounds = settings.material.directory, max(3, settings.rounds // 3)
    with key_sets.served(directory) as url:
        programs = {
            OURS: first_verification.ours(directory, url),
            SNAPSHOT: first_verification.ours_with_snapshot(directory, url),
            PYJWT: first_verification.pyjwt(directory, url),
        }
        _process(settings.python, first_verification.ours_writing(directory, url))
        timings = Timings()
        turns: dict[str, list[float]] = {}
        for _ in range(rounds):
            timings.add({name: _process(settings.python, program) for name, program in programs.items()})
            for kind in COMPARED:
                turns.setdefault(kind.title, []).append(_turn(settings, url, kind.name))
    figures = [
        Figure(
            f"a process until its first token is verified, {name}",
            timings.ratio(name, PYJWT),
            "x",
            against="PyJWT with PyJWKClient",
            absolute=f"{timings.microseconds(name).median / 1e3:.0f} ms",
        )
        for name in (OURS, SNAPSHOT)
    ]
    figures += [
        Figure(
            f"the longest turn of an event loop, {WAITING} requests waiting for a first key, {title}",
            Spread.of(milliseconds),
            "ms",
            5.0,
        )
        for title, milliseconds in turns.items()
    ]
    return Findings(figures, notes=[f"{rounds} rounds"])


if __name__ == "__main__":
    print(json.dumps(longest_turn(*sys.argv[1:])))
