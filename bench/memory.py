"""What is remembered of verified tokens: how much memory it takes, and whether a request pays for evictions.

Memory is what `tracemalloc` attributes to servers that have verified tokens, when whoever brought the tokens
has let go of them; where a million tokens come, or hostile ones, it is what the process holds of the
machine's. Pauses are looked for in the call, not in the average: the same tokens in the same order are
brought to a fresh server several times, and of each position the fastest pass counts, so that what remains
slow is slow because of the cache, not because of the machine.
"""

from __future__ import annotations

import gc
import hmac
import json
import resource
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bearerguard import AuthError, Provider, ResourceServer, claim, limit_verdict_memory, role, scope
from bench.environments import ROOT, environment
from bench.kinds import KINDS
from bench.material import AUDIENCE, EXAMPLE, ISSUER, Material, encode
from bench.report import Figure, Findings, Series
from bench.rounds import Spread
from bench.settings import Settings

CACHE_SIZE = 4096
FILLS = (1, 64, 1024, 4096, 8192)
MIB = 1024 * 1024
EVICTING_BYTES = 3 * MIB
"""A bound under which the memory is full of `CACHE_SIZE` tokens that came once."""


def _server(material: Material) -> Any:
    from bench.verifiers.ours import resource_server

    return resource_server(material, "RS256")


def held_bytes(material: Material) -> int:
    """What a server keeps in memory for 4,096 verified tokens."""
    path = material.directory / "RS256.large.txt"
    server = _server(material)
    with path.open("rb") as lines:
        server.verify(next(lines).decode("ascii").strip())
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(CACHE_SIZE):
            server.verify(next(lines).decode("ascii").strip())
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return after - before


def held_by_any_mix(material: Material) -> int:
    """What a process keeps for many servers, one for each kind, whose tokens were read in every way."""
    from bench.verifiers.ours import provider

    servers = {kind: ResourceServer(provider(material, "RS256", kind)) for kind in KINDS.values()}
    for kind, server in servers.items():
        _read(server, _lines(material, f"RS256.{kind.name}", 1))
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for kind, server in servers.items():
        _read(server, _lines(material, f"RS256.{kind.name}"))
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return after - before


def _lines(material: Material, name: str, count: int | None = None) -> Iterator[str]:
    """The tokens of a file one by one, so that none is held here."""
    with (material.directory / f"{name}.txt").open("rb") as lines:
        for line in islice(lines, count):
            yield line.decode("ascii").strip()


def _read(server: ResourceServer, tokens: Iterator[str]) -> None:
    rule = scope("nobody:has") | role("nobody") | claim("nothing", "at all")
    for text in tokens:
        for _ in range(2):
            token = server.verify(text)
            _ = token.scopes, token.roles, token.permissions, token.subject, len(token.claims)
            rule.allows(token)


_SECRET = bytes(range(64))


class _Symmetric:
    """Makes and verifies tokens in microseconds, so that a million take less than a minute."""

    def __init__(self) -> None:
        keys = {"kty": "oct", "alg": "HS256", "kid": "shared", "k": encode(_SECRET)}
        provider = Provider(ISSUER, audience=AUDIENCE, keys=keys, algorithms="HS256")
        self.server = ResourceServer(provider)
        self._now = int(time.time())

    def token(self, number: int, kid: str = "shared", **claims: Any) -> str:
        """A token that no other number has."""
        header = {"alg": "HS256", "typ": "at+jwt", "kid": kid}
        parts = (header, {**EXAMPLE.claims(number, self._now), **claims})
        message = ".".join(encode(json.dumps(part).encode()) for part in parts)
        return f"{message}.{encode(hmac.digest(_SECRET, message.encode(), 'sha256'))}"

    def hostile(self, number: int) -> str:
        """A token that is refused, each in another way than the one before it."""
        kind = number % 5
        if kind == 0:
            return self.token(number, kid=f"unknown-{number}")
        if kind == 1:
            return self.token(number, iss=f"https://{number}.test/")
        if kind == 2:
            return self.token(number, exp=number)
        if kind == 3:
            return f"{self.token(number).rpartition('.')[0]}.{encode(bytes(32))}"
        return f"opaque-{number}"


def _resident() -> int:
    """Bytes of the machine's memory that this process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


def grown_by_distinct(count: int) -> int:
    """Bytes by which a process grows in the second half of `count` tokens: by then its memory is full."""
    made = _Symmetric()
    before = 0
    for number in range(count):
        made.server.verify(made.token(number))
        if number == count // 2:
            before = _resident()
    return _resident() - before


def grown_by_hostile(count: int) -> int:
    """Bytes by which a process grows with refused tokens, after the first tenth of them."""
    made = _Symmetric()
    before = 0
    for number in range(count):
        try:
            made.server.verify(made.hostile(number))
        except AuthError:
            pass
        else:
            raise RuntimeError("a token that had to be refused was accepted")
        if number == count // 10:
            before = _resident()
    return _resident() - before


def _each(verify: Any, tokens: Sequence[str]) -> list[int]:
    clock, spent = time.perf_counter_ns, []
    for token in tokens:
        start = clock()
        verify(token)
        spent.append(clock() - start)
    return spent


def slowest_new(material: Material, passes: int) -> tuple[list[int], list[int]]:
    """Nanoseconds of each of many new tokens, brought to an empty cache that fills and then evicts.

    Args:
        material: The tokens.
        passes: How often the same is done with a fresh server.

    Returns:
        The fastest pass of each position: before the cache is full, and after.
    """
    tokens = material.tokens("RS256.large")
    limit_verdict_memory(EVICTING_BYTES)
    best: list[int] = []
    for _ in range(passes):
        server = _server(material)
        gc.collect()
        spent = _each(server.verify, tokens)
        best = [min(pair) for pair in zip(best or spent, spent, strict=True)]
    limit_verdict_memory(16 * MIB)
    return best[1:CACHE_SIZE], best[CACHE_SIZE:]


def hit_by_fill(material: Material) -> list[tuple[int, list[float]]]:
    """Nanoseconds of a repeated token when the cache holds few and many."""
    tokens = material.tokens("RS256.large")
    found = []
    for fill in FILLS:
        server = _server(material)
        for token in tokens[:fill]:
            server.verify(token)
        token, figures = tokens[fill - 1], []
        for _ in range(15):
            start = time.thread_time_ns()
            for _ in range(1000):
                server.verify(token)
            figures.append((time.thread_time_ns() - start) / 1000)
        found.append((fill, figures))
    return found


def _measure_here(directory: str, passes: str, distinct: str, hostile: str) -> dict[str, Any]:
    material = Material(Path(directory))
    # First, while the process is small.
    grown = {"distinct": grown_by_distinct(int(distinct)), "hostile": grown_by_hostile(int(hostile))}
    filling, evicting = slowest_new(material, int(passes))
    return {
        **grown,
        "mix": held_by_any_mix(material),
        "held": held_bytes(material),
        "filling": [statistics.median(filling), max(filling)],
        "evicting": [statistics.median(evicting), max(evicting)],
        "hits": hit_by_fill(material),
    }


def measure(settings: Settings) -> Findings:
    """Fill a cache in a process of its own.

    Args:
        settings: How long and with what; a pass here is long, so few are made.

    Returns:
        Memory with its target, the dearest request of a full cache, and the cost of a hit as the cache fills.
    """
    passes, distinct, hostile = (3, 100_000, 20_000) if settings.rounds < 20 else (7, 1_000_000, 100_000)
    command = [settings.python, "-m", "bench.memory", str(settings.material.directory)]
    command += map(str, (passes, distinct, hostile))
    done = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    held, mix, grown, hostile_grown = (
        Spread.of([found[name] / MIB]) for name in ("held", "mix", "distinct", "hostile")
    )
    (new_median, new_max), (evicting_median, evicting_max) = found["filling"], found["evicting"]
    hits = [(float(fill), Spread.of([figure / 1e3 for figure in figures])) for fill, figures in found["hits"]]
    growth = Spread.of([hits[-1][1].median / hits[0][1].median])
    return Findings(
        figures=[
            Figure(f"verified-token cache, {CACHE_SIZE:,} tokens of 1.2 kB", held, "MiB", 16.0),
            Figure(
                f"verdicts of {len(KINDS)} servers, more tokens of every kind than are remembered",
                mix,
                "MiB",
                16.0,
            ),
            Figure(f"a process grows by, {distinct:,} distinct tokens", grown, "MiB", 1.0),
            Figure(f"a process grows by, {hostile:,} hostile tokens", hostile_grown, "MiB", 0.5),
            Figure(
                "a new token, cache full",
                Spread.of([evicting_median / new_median]),
                "x",
                against="the same, cache filling",
                absolute=f"{evicting_median / 1e3:.1f} us",
            ),
            Figure(
                "the dearest new token, cache full",
                Spread.of([evicting_max / new_max]),
                "x",
                against="the dearest, cache filling",
                absolute=f"{evicting_max / 1e3:.1f} us",
            ),
            Figure(
                f"a repeated token, {FILLS[-1]:,} seen",
                growth,
                "x",
                against="one seen",
                absolute=f"{hits[-1][1].median:.2f} us",
            ),
        ],
        series=[Series("a repeated token", "tokens seen", "us", hits)],
        notes=[f"{passes} passes"],
    )


if __name__ == "__main__":
    print(json.dumps(_measure_here(*sys.argv[1:])))
