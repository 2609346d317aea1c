"""`make chaos`, its second half: two servers of several processes share a store, which is ill-treated.

uvicorn with 2 workers and gunicorn with 4 trust one issuer and share one Redis. It is killed, frozen,
filled to `maxmemory` and cut off, and a Sentinel moves it to a replica, while requests go on: with bearer
tokens, with DPoP proofs that are sent to both servers at once, and with tokens that were just revoked.

Exit status 1 where a proof got in twice, a token a second after its revocation, or a valid request was
refused while the store was well. While it is away nobody can hear of a revocation: what `max_lag` allows is
told apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx2

from bearerguard.testing import Issuer
from tests.stores.engines import Engine, Sentinels, free_port, redis_server

AUDIENCE, RESOURCE = "https://orders.example", "https://api.example"
SECRET = "a secret of the fleet in a chaos run, long enough"
TROUBLE, CALM = 4.0, 7.0
"""Seconds for which the store is in trouble, and until it is in trouble again."""
GUNICORN = ("--workers", "4", "--threads", "8", "--log-level", "warning")
RECOVERY = 4.0
"""Seconds after a trouble in which a refusal is not counted as one while the store is well."""
SETTLED = 1.0
"""Seconds after which a revocation has to be known everywhere."""


@dataclass
class Seen:
    """What came of the requests: each with when it was sent, for how long it took, and its status."""

    bearer: list[tuple[float, float, int]] = field(default_factory=list)
    proofs: list[tuple[float, float, int]] = field(default_factory=list)
    replays: int = 0
    pairs: int = 0
    revoked: int = 0
    revoked_in: list[float] = field(default_factory=list)
    troubles: list[tuple[str, float, float]] = field(default_factory=list)
    fetches: list[int] = field(default_factory=list)


class Fleet:
    """The servers, and the requests that go on while something happens to the store."""

    def __init__(self, issuer: Issuer, urls: list[str], client: httpx2.AsyncClient) -> None:
        self.issuer, self.urls, self.client = issuer, urls, client
        self.seen = Seen()
        self.ends = False

    async def send(self, url: str, path: str, **headers: str) -> tuple[float, float, int]:
        """Send one request; a connection that fails has the status 0."""
        began = time.monotonic()
        method = "POST" if path == "/revoke" else "GET"
        try:
            status = (await self.client.request(method, url + path, headers=headers)).status_code
        except httpx2.HTTPError:
            status = 0
        return began, time.monotonic() - began, status

    async def bear(self) -> None:
        """Requests with tokens, new ones and repeated ones."""
        number = 0
        while not self.ends:
            number += 1
            token = self.issuer.token(f"user-{number % 40}") if number % 5 else self.issuer.token("ada")
            for url in self.urls:
                self.seen.bearer.append(await self.send(url, "/", Authorization=f"Bearer {token}"))
            await asyncio.sleep(0.03)

    async def prove(self) -> None:
        """One proof to both servers at once: at most one may let it in."""
        client = self.issuer.client("ada", dpop=True)
        while not self.ends:
            fields = {
                "Authorization": f"DPoP {client.token}",
                "DPoP": client.proof("GET", f"{RESOURCE}/"),
            }
            both = await asyncio.gather(*(self.send(url, "/", **fields) for url in self.urls))
            self.seen.pairs += 1
            self.seen.replays += sum(status == 200 for *_, status in both) > 1
            # Of two that are well one is refused as a replay: the better answer is what the client got.
            self.seen.proofs.append(min(both, key=lambda one: (one[2] != 200, one[2])))
            await asyncio.sleep(0.05)

    async def revoke(self) -> None:
        """Take a token back at one server, and see a second later that neither lets it in."""
        number = 0
        while not self.ends:
            number += 1
            here = self.urls[number % 2]
            token = {"Authorization": f"Bearer {self.issuer.token(f'gone-{number}')}"}
            for url in self.urls:
                await self.send(url, "/", **token)
            if (await self.send(here, "/revoke", **token))[2] == 200:
                self.seen.revoked += 1
                await asyncio.sleep(SETTLED)
                for url in self.urls * 6:  # whichever of its processes answers
                    began, _, status = await self.send(url, "/", **token)
                    if status == 200:
                        self.seen.revoked_in.append(began)
            await asyncio.sleep(0.2)

    async def suffer(self, name: str, begin: Callable[[], object], end: Callable[[], object]) -> None:
        """Let the store be in trouble for a while."""
        began = time.monotonic()
        await asyncio.to_thread(begin)
        await asyncio.sleep(TROUBLE)
        await asyncio.to_thread(end)
        self.seen.troubles.append((name, began, time.monotonic()))
        await asyncio.sleep(CALM)

    async def rotate(self) -> None:
        """Publish new keys, and count how often they are fetched."""
        before = self.issuer.count("/jwks")
        self.issuer.rotate()
        await asyncio.sleep(3)
        self.seen.fetches.append(self.issuer.count("/jwks") - before)


class Wire:
    """A connection between the servers and the store that may be cut: nothing comes through."""

    def __init__(self, target: int) -> None:
        self.port, self._target = free_port(), target
        self._whole = asyncio.Event()
        self._whole.set()
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._joined, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    def cut(self) -> None:
        """Let nothing through."""
        self._loop.call_soon_threadsafe(self._whole.clear)

    def mend(self) -> None:
        """Let everything through again."""
        self._loop.call_soon_threadsafe(self._whole.set)


@contextmanager
def servers(issuer: str, store: str, build: Path) -> Iterator[list[str]]:
    """uvicorn with 2 workers, and gunicorn with 4; yields their addresses."""
    ports = [free_port(), free_port()]
    settings = {**os.environ, "CHAOS_ISSUER": issuer, "CHAOS_STORE": store}
    commands = (
        [
            "uvicorn",
            "--port",
            str(ports[0]),
            "--workers",
            "2",
            "--log-level",
            "warning",
            "chaos.fleet_app:app",
        ],
        ["gunicorn", "--bind", f"127.0.0.1:{ports[1]}", *GUNICORN, "chaos.fleet_app:application"],
    )
    with ExitStack() as ending:
        for number, command in enumerate(commands):
            log = ending.enter_context((build / f"chaos-fleet-{number}.log").open("wb"))
            process = subprocess.Popen([sys.executable, "-m", *command], env=settings, stderr=log, stdout=log)
            ending.callback(process.wait, 30)
            ending.callback(process.terminate)
        yield [f"http://127.0.0.1:{port}" for port in ports]


async def driven(issuer: Issuer, store: str, build: Path, story: Callable[[Fleet], Awaitable[None]]) -> Seen:
    """Start the servers, and let requests go on while `story` does."""
    limits = httpx2.Limits(max_connections=100)
    with servers(issuer.url, store, build) as urls:
        async with httpx2.AsyncClient(trust_env=False, timeout=30, limits=limits) as client:
            fleet = Fleet(issuer, urls, client)
            token = {"Authorization": f"Bearer {issuer.token('ada')}"}
            for url in urls:
                deadline = time.monotonic() + 60
                while (await fleet.send(url, "/", **token))[2] != 200:
                    if time.monotonic() > deadline:
                        raise SystemExit("the servers did not start: see build/chaos-fleet-*.log")
                    await asyncio.sleep(0.2)
            async with asyncio.TaskGroup() as tasks:
                for load in (fleet.bear, fleet.prove, fleet.revoke):
                    tasks.create_task(load())
                await asyncio.sleep(2)
                await fleet.rotate()
                await story(fleet)
                fleet.ends = True
            return fleet.seen


def is_well(seen: Seen, sent: float, took: float = 0.0) -> bool:
    """Whether the store was well, and had been for a while, as long as a request was under way."""
    return not any(begin - took <= sent <= end + RECOVERY for _, begin, end in seen.troubles)


def refused_while_well(seen: Seen) -> int:
    """How many valid requests were refused, but for those in a trouble or just behind one."""
    requests = (*seen.bearer, *seen.proofs)
    return sum(status != 200 for sent, took, status in requests if is_well(seen, sent, took))


def longest_while_away(seen: Seen) -> float:
    """Seconds of the longest answer that was asked for while the store was away."""
    return max(
        (
            took
            for sent, took, _ in (*seen.bearer, *seen.proofs)
            if any(begin <= sent <= end for _, begin, end in seen.troubles)
        ),
        default=0.0,
    )


def told(name: str, seen: Seen) -> bool:
    """Print the figures; return whether every promise was kept."""
    refused, fetched = refused_while_well(seen), seen.fetches
    unheard = sum(is_well(seen, sent, SETTLED) for sent in seen.revoked_in)
    rows = {
        "requests with a bearer token": len(seen.bearer),
        "proofs sent to both servers": seen.pairs,
        "  replays let in": seen.replays,
        "tokens revoked": seen.revoked,
        "  let in a second later": unheard,
        "  likewise, while the store was away": len(seen.revoked_in) - unheard,
        "valid requests refused while the store was well": refused,
        "longest answer while it was away, ms": round(longest_while_away(seen) * 1e3),
        "fetches of keys for a rotation, all six processes": fetched,
    }
    print(f"\n{name}: {', '.join(trouble for trouble, *_ in seen.troubles)}")
    for label, value in rows.items():
        print(f"  {label:<52}{value}")
    return not (seen.replays or unheard or refused) and all(count == 1 for count in fetched)


async def measure(build: Path) -> bool:
    """Both fleets, one after the other."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ending:
        issuer = ending.enter_context(Issuer(audience=AUDIENCE, algorithm="ES256").serve())
        engine = Engine(redis_server(), Path(folder) / "one", ("--maxmemory-policy", "noeviction")).start()
        ending.callback(engine.stop)

        def fill() -> None:
            with engine.client() as client:
                client.config_set("maxmemory", "1mb")

        def empty() -> None:
            with engine.client() as client:
                client.config_set("maxmemory", "0")

        async with Wire(engine.port) as wire:

            async def story(fleet: Fleet) -> None:
                await fleet.suffer("killed", engine.stop, engine.start)
                await fleet.suffer("frozen", engine.freeze, engine.thaw)
                await fleet.suffer("full", fill, empty)
                await fleet.suffer("cut off", wire.cut, wire.mend)

            kept = told("one Redis", await driven(issuer, f"redis://127.0.0.1:{wire.port}/0", build, story))
        sentinels = Sentinels(Path(folder) / "sentinels")
        ending.callback(sentinels.stop)

        async def failover(fleet: Fleet) -> None:
            await fleet.suffer("failed over", sentinels.failover, lambda: None)

        seen = await driven(issuer, str(sentinels.port), build, failover)
        return told("Redis behind a Sentinel", seen) and kept


def main() -> int:
    """Run it, and print what came of it."""
    build = Path("build")
    build.mkdir(exist_ok=True)
    return 0 if asyncio.run(measure(build)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
