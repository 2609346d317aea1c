"""`make chaos`: constant load on real servers while their provider rotates its keys, fails and comes back.

Two servers, one after the other: Starlette under uvicorn and Flask under gunicorn (threads, two preloaded
workers). Each is driven for a while with a quiet provider and then with one that misbehaves in every way that
`chaos/provider.py` knows. No valid request may be refused, no invalid one accepted, and the event loop may
never stop for 10 ms (`chaos/loop_stall.py` says what counts); otherwise the exit status is 1. Everything
stays on loopback. The servers run on an accelerated clock, so that the library's default lifetimes and
cooldowns play out. `SECONDS=` sets the length of the whole.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2

from bearerguard.testing import SigningKey
from chaos.load import RAMP, Load, Sent, Tokens

SPEED = 60.0  # seconds of the servers' clock in one of ours
SLOW = 0.3  # seconds that the slow provider takes for each document
TIMEOUT = 1.5  # seconds for a fetch: five in all would be five minutes of the servers' clock
FIXED = 12.0  # seconds of one server's part that do not grow with SECONDS: starts, a recovery, a flood
SHORTEST = 75  # in fewer seconds no key set would outlive its lifetime while the provider is down
LONGEST_STALL_MS = 10.0


class ProviderProcess:
    """The provider, in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.provider"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url: str = self._line()["url"]

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def tell(self, **order: Any) -> dict[str, Any]:
        """Give an order; returns the counts."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._line()

    def publish(self, *keys: SigningKey) -> None:
        """Make these the key set."""
        self.tell(jwks={"keys": [key.public_jwk() for key in keys]})

    def end(self) -> None:
        """Close its input and wait for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)


Story = Callable[[ProviderProcess, Tokens, Load], Awaitable[None]]


async def rotate(provider: ProviderProcess, tokens: Tokens) -> None:
    """Publish a new key and use it at once; the key before it stays until no client uses it, then it goes."""
    key = tokens.new_key()
    provider.publish(tokens.key, key)
    tokens.move_to(key)
    await asyncio.sleep(RAMP + 0.5)
    tokens.drop_previous()
    await asyncio.sleep(0.2)
    provider.publish(key)


async def misbehave(provider: ProviderProcess, tokens: Tokens, load: Load, seconds: float) -> None:
    """The story of a bad day, `seconds` long."""
    # Rotations at full speed.
    end = time.monotonic() + 0.28 * seconds
    while time.monotonic() < end:
        await rotate(provider, tokens)
    # Slow, and one more rotation meanwhile.
    provider.tell(mood="slow", slow=SLOW)
    end = time.monotonic() + 0.13 * seconds
    await rotate(provider, tokens)
    await asyncio.sleep(max(0.0, end - time.monotonic()))
    # Down, for longer than a key set lives.
    provider.tell(mood="down")
    await asyncio.sleep(0.45 * seconds)
    # Up, in a manner of speaking.
    provider.tell(mood="rubbish")
    await asyncio.sleep(0.14 * seconds)
    # Back, and another rotation once a fetch that hung has been given up.
    provider.tell(mood="up")
    await asyncio.sleep(2.5)
    await rotate(provider, tokens)
    # A flood of tokens under keys that nobody has, while a key that was published ahead comes into use.
    key = tokens.new_key()
    provider.publish(tokens.key, key)
    tokens.junk_share, load.invalid_share = 0.95, 0.6
    load.rate *= 2
    await asyncio.sleep(1.5)
    tokens.move_to(key)
    await asyncio.sleep(RAMP + 0.5)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def uvicorn_command(port: int) -> list[str]:
    options = ["--log-level", "warning", "--no-access-log", "--timeout-keep-alive", "120"]
    options += ["--port", str(port), "--loop", "chaos.loop_stall:WatchedEventLoop"]
    return [sys.executable, "-m", "uvicorn", *options, "chaos.starlette_app:app"]


def gunicorn_command(port: int) -> list[str]:
    workers = ["--preload", "--workers", "2", "--threads", "48"]
    options = ["--bind", f"127.0.0.1:{port}", "--log-level", "warning", "--keep-alive", "120"]
    return [sys.executable, "-m", "gunicorn", *workers, *options, "chaos.flask_app:app"]


async def until_up(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        for _ in range(200):
            if server.poll() is not None:
                break
            try:
                await client.get(f"{url}/measured")
            except httpx2.HTTPError:
                await asyncio.sleep(0.1)
            else:
                return
    raise SystemExit("the server did not start")


@contextmanager
def server(command: list[str], issuer: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server that trusts `issuer`, for the length of a `with` block; what it says goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, "CHAOS_ISSUER": issuer}, stderr=output)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=20)


async def drive(
    command: Callable[[int], list[str]], rate: float, story: Story, rotations: int, log: Path
) -> dict[str, Any]:
    """Start a provider and a server, load the server while `story` goes on, and say what came of it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as running:
        provider = ProviderProcess()
        running.callback(provider.end)
        process = running.enter_context(server(command(port), provider.url, log))
        await until_up(url, process)
        tokens = Tokens(provider.url, rotations)
        provider.publish(tokens.key)
        load = Load(url, tokens, rate)
        async with httpx2.AsyncClient(trust_env=False) as client:
            await client.get(f"{url}/measured")
            started = time.monotonic()
            async with asyncio.TaskGroup() as both:
                both.create_task(load.run())
                await story(provider, tokens, load)
                load.stop()
            seconds = time.monotonic() - started
            measured = (await client.get(f"{url}/measured")).json()
        counts = provider.tell()
    fetches = counts["jwks"] + counts["metadata"]
    return {**figures(load.sent), **measured, "fetches": fetches, "seconds": seconds}


def figures(sent: list[Sent]) -> dict[str, Any]:
    """What a run amounts to."""
    valid = [one for one in sent if one.valid]
    invalid = [one for one in sent if not one.valid]
    known = [one.seconds * 1e3 for one in valid if not one.new_key]
    return {
        "requests": len(sent),
        "valid": len(valid),
        "valid_refused": sum(one.status != 200 for one in valid),
        "valid_by_status": dict(Counter(one.status for one in valid)),
        "invalid": len(invalid),
        "invalid_not_refused": sum(one.status not in (401, 503) for one in invalid),
        "invalid_by_status": dict(Counter(one.status for one in invalid)),
        "p50_ms": statistics.median(known),
        "p99_ms": statistics.quantiles(known, n=100)[98],
        "p99_all_ms": statistics.quantiles([one.seconds * 1e3 for one in valid], n=100)[98],
        "longest_ms": max(one.seconds for one in valid) * 1e3,
    }


ROWS = (
    ("requests sent", "requests", "{:,}"),
    ("valid requests", "valid", "{:,}"),
    ("valid requests refused", "valid_refused", "{:,}"),
    ("invalid requests", "invalid", "{:,}"),
    ("invalid requests not refused", "invalid_not_refused", "{:,}"),
    ("fetches that reached the provider", "fetches", "{:,}"),
    ("longest event-loop stall, ms", "stall_ms", "{:.1f}"),
    ("  and by the machine, for comparison, ms", "machine_ms", "{:.1f}"),
    ("median of valid requests, ms", "p50_ms", "{:.1f}"),
    ("99th percentile, key known, ms", "p99_ms", "{:.1f}"),
    ("99th percentile, all valid, ms", "p99_all_ms", "{:.1f}"),
    ("longest valid request, ms", "longest_ms", "{:.0f}"),
    ("seconds", "seconds", "{:.1f}"),
)


def table(results: dict[str, dict[str, Any]]) -> str:
    """The results side by side."""
    lines = [" " * 42 + "".join(f"{name:>18}" for name in results)]
    for label, name, form in ROWS:
        cells = (form.format(result[name]) if name in result else "-" for result in results.values())
        lines.append(f"{label:<42}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


def passed(result: dict[str, Any]) -> bool:
    """Whether a run kept every promise."""
    if result["valid_refused"] or result["invalid_not_refused"]:
        return False
    return bool(result.get("stall_ms", 0.0) < LONGEST_STALL_MS)


async def measure(seconds: float, build: Path) -> dict[str, dict[str, Any]]:
    """All runs, one after the other, in about `seconds`."""
    rotations = 4 + int(seconds / RAMP)
    quiet = 0.08 * seconds
    chaos = 0.42 * seconds - FIXED

    async def quiet_day(provider: ProviderProcess, tokens: Tokens, load: Load) -> None:
        await asyncio.sleep(quiet)

    async def bad_day(provider: ProviderProcess, tokens: Tokens, load: Load) -> None:
        await misbehave(provider, tokens, load, chaos)

    results: dict[str, dict[str, Any]] = {}
    for name, command, rate in (("uvicorn", uvicorn_command, 200.0), ("gunicorn", gunicorn_command, 150.0)):
        for kind, story in (("quiet", quiet_day), ("chaos", bad_day)):
            log = build / f"chaos-{name}-{kind}.log"
            results[f"{name}, {kind}"] = await drive(command, rate, story, rotations, log)
    return results


def main() -> int:
    """Run everything, print the table, write `build/chaos.json`."""
    seconds = float(os.environ.get("SECONDS") or 90)
    if seconds < SHORTEST:
        raise SystemExit(f"SECONDS must be {SHORTEST} or more: key sets have to grow old in it")
    os.environ["CHAOS_EPOCH"] = repr(time.time())
    os.environ["CHAOS_SPEED"] = repr(SPEED)
    os.environ["CHAOS_TIMEOUT"] = repr(TIMEOUT)
    build = Path("build")
    build.mkdir(exist_ok=True)
    results = asyncio.run(measure(seconds, build))
    print(table(results))
    (build / "chaos.json").write_text(json.dumps(results, indent=2) + "\n")
    broken = [name for name, result in results.items() if not passed(result)]
    for name in broken:
        print(f"{name}: a promise was broken; see build/chaos.json and build/chaos-*.log", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
