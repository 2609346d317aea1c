"""How cost grows: with the keys in a set, with the providers, with the size of a token, with threads.

Every batch meets a server that has not seen its tokens. Threads share one server and the tokens; signature
checks release the interpreter lock, so several threads gain as far as the rest of a verification, which holds
it, lets them, and as far as a check takes longer than handing over the lock.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bearerguard import Provider, ResourceServer
from bench import floor
from bench.environments import ROOT, environment
from bench.material import AUDIENCE, ISSUER, KEY_COUNT, TOKEN_SIZES, Material
from bench.report import Findings, Series
from bench.rounds import Spread
from bench.settings import Settings

KEYS = (1, 10, 100, KEY_COUNT)
SET_SIZE = 100
PROVIDERS = (1, 10, 100)
THREADS = (1, 2, 4, 8)
TOKENS_PER_THREAD = 1500  # long enough that all threads run at once
Verify = Callable[[str], object]


def _spent(verify: Verify, tokens: Sequence[str]) -> float:
    gc.collect()
    start = time.thread_time_ns()
    for token in tokens:
        verify(token)
    return (time.thread_time_ns() - start) / len(tokens)


def _fresh(material: Material, *providers: Provider) -> Verify:
    """A new server, which has seen a header of the issuer that signs but none of its tokens."""
    server = ResourceServer(*providers)
    server.verify(material.tokens("RS256.large")[-1])
    return server.verify


def _provider(key_set: dict[str, Any], suffix: str = "") -> Provider:
    return Provider(f"{ISSUER}{suffix}", audience=AUDIENCE, keys=key_set)


def by_keys(material: Material) -> dict[str, float]:
    """Nanoseconds of a new token by the number of keys held, of which the one that signs comes last.

    A set may hold a hundred; more keys than that are those of several providers.
    """
    signing, *others = material.key_set("growth")["keys"]
    tokens, spent = material.tokens("RS256.1024"), {}
    for count in KEYS:
        own = min(count, SET_SIZE) - 1
        providers = [
            _provider({"keys": others[start : start + SET_SIZE]}, f"{start}")
            for start in range(own, count - 1, SET_SIZE)
        ]
        verify = _fresh(material, *providers, _provider({"keys": [*others[:own], signing]}))
        spent[str(count)] = _spent(verify, tokens)
    return spent


def by_providers(material: Material) -> dict[str, float]:
    """Nanoseconds of a new token of one provider, configured last, by the number of providers."""
    tokens, key_set, spent = material.tokens("RS256.1024"), material.key_set("RS256.example"), {}
    for count in PROVIDERS:
        others = [_provider(key_set, f"{number}") for number in range(count - 1)]
        spent[str(count)] = _spent(_fresh(material, *others, _provider(key_set)), tokens)
    return spent


def by_size(material: Material) -> dict[str, float]:
    """Nanoseconds of a new token by its size in bytes."""
    spent = {}
    for size in TOKEN_SIZES:
        spent[str(size)] = _spent(
            _fresh(material, _provider(material.key_set("RS256.example"))), material.tokens(f"RS256.{size}")
        )
    return spent


def floor_by_size(material: Material) -> dict[str, float]:
    """Nanoseconds of the bare signature of the same tokens."""
    run, spent = floor.run("RS256", material.public_key("RS256")), {}
    for size in TOKEN_SIZES:
        batch = [floor.signed(token) for token in material.tokens(f"RS256.{size}")]
        gc.collect()
        start = time.thread_time_ns()
        run(batch)
        spent[str(size)] = (time.thread_time_ns() - start) / len(batch)
    return spent


def by_threads(material: Material, algorithm: str) -> dict[str, float]:
    """Tokens a second, each new, by the number of threads that share one server."""
    pool, rates = material.tokens(f"{algorithm}.example"), {}
    for count in THREADS:
        verify = ResourceServer(_provider(material.key_set(f"{algorithm}.example"))).verify
        verify(pool[-1])
        ready = threading.Barrier(count + 1)

        def work(tokens: Sequence[str], ready: threading.Barrier = ready, verify: Verify = verify) -> None:
            ready.wait()
            for token in tokens:
                verify(token)

        shares = [pool[number * TOKENS_PER_THREAD :][:TOKENS_PER_THREAD] for number in range(count)]
        threads = [threading.Thread(target=work, args=(share,)) for share in shares]
        for thread in threads:
            thread.start()
        ready.wait()
        start = time.perf_counter_ns()
        for thread in threads:
            thread.join()
        rates[str(count)] = count * TOKENS_PER_THREAD / (time.perf_counter_ns() - start) * 1e9
    return rates


AXES: dict[str, Callable[[Material], dict[str, float]]] = {
    "keys": by_keys,
    "providers": by_providers,
    "bytes": by_size,
    "bytes floor": floor_by_size,
    "threads": functools.partial(by_threads, algorithm="RS256"),
    "threads EdDSA": functools.partial(by_threads, algorithm="EdDSA"),
}


def _measure_here(directory: str, rounds: str) -> dict[str, dict[str, list[float]]]:
    material = Material(Path(directory))
    found: dict[str, dict[str, list[float]]] = {axis: {} for axis in AXES}
    for number in range(int(rounds) + 1):
        for axis, once in AXES.items():
            for point, figure in once(material).items():
                if number:  # the first round warms up
                    found[axis].setdefault(point, []).append(figure)
    return found


def _points(found: dict[str, list[float]], scale: float) -> list[tuple[float, Spread]]:
    return [
        (float(point), Spread.of([figure * scale for figure in figures])) for point, figures in found.items()
    ]


def measure(settings: Settings) -> Findings:
    """Measure along every axis in a process of its own.

    Args:
        settings: How long and with what; a round here is long, so fewer are taken.

    Returns:
        A series for each axis.
    """
    rounds = max(3, settings.rounds // 3)
    command = [settings.python, "-m", "bench.growth", str(settings.material.directory), str(rounds)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    return Findings(
        series=[
            Series("verify, RS256, token never seen", "keys held", "us", _points(found["keys"], 1e-3)),
            Series("verify, RS256, token never seen", "providers", "us", _points(found["providers"], 1e-3)),
            Series(
                "verify, RS256, token never seen", "bytes of the token", "us", _points(found["bytes"], 1e-3)
            ),
            Series("the bare signature", "bytes of the token", "us", _points(found["bytes floor"], 1e-3)),
            Series("verify, RS256, token never seen", "threads", "tokens/s", _points(found["threads"], 1.0)),
            Series(
                "verify, EdDSA, token never seen", "threads", "tokens/s", _points(found["threads EdDSA"], 1.0)
            ),
        ],
        notes=[f"{rounds} rounds, {os.cpu_count()} processors"],
    )


if __name__ == "__main__":
    print(json.dumps(_measure_here(*sys.argv[1:])))
