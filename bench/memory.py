"""The verified-token cache when it is full: what it holds, and whether a request pays for an eviction.

Memory is what `tracemalloc` attributes to a server that has verified 4,096 tokens of 1.2 kB, when whoever
brought the tokens has let go of them. Pauses are looked for in the call, not in the average: the same tokens
in the same order are brought to a fresh server several times, and of each position the fastest pass counts,
so that what remains slow is slow because of the cache, not because of the machine.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.environments import ROOT, environment
from bench.material import Material
from bench.report import Figure, Findings, Series
from bench.rounds import Spread
from bench.settings import Settings

CACHE_SIZE = 4096
FILLS = (1, 64, 1024, 4096, 8192)
MIB = 1024 * 1024


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
    best: list[int] = []
    for _ in range(passes):
        server = _server(material)
        gc.collect()
        spent = _each(server.verify, tokens)
        best = [min(pair) for pair in zip(best or spent, spent, strict=True)]
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


def _measure_here(directory: str, passes: str) -> dict[str, Any]:
    material = Material(Path(directory))
    filling, evicting = slowest_new(material, int(passes))
    return {
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
    passes = 3 if settings.rounds < 20 else 7
    command = [settings.python, "-m", "bench.memory", str(settings.material.directory), str(passes)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    held = Spread.of([found["held"] / MIB])
    (new_median, new_max), (evicting_median, evicting_max) = found["filling"], found["evicting"]
    hits = [(float(fill), Spread.of([figure / 1e3 for figure in figures])) for fill, figures in found["hits"]]
    growth = Spread.of([hits[-1][1].median / hits[0][1].median])
    return Findings(
        figures=[
            Figure(f"verified-token cache, {CACHE_SIZE:,} tokens of 1.2 kB", held, "MiB", 16.0),
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
