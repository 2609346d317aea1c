"""How long and with what a run measures, handed to every part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.environments import ROOT, environment
from bench.material import Material
from bench.rounds import Worker


@dataclass(frozen=True)
class Settings:
    """What every part needs to know.

    Attributes:
        rounds: How many rounds a part takes.
        batch_milliseconds: About how long one case of a round is timed.
        part_seconds: No part starts another round after this.
        material: Keys and tokens.
        url: The loopback URL of the key sets.
        python: The interpreter of the virtual environment of the benchmark.
        seeds_python: The interpreter of the virtual environment of the seeds.
        node: Node.js, or None where there is none.
    """

    rounds: int
    batch_milliseconds: float
    part_seconds: float
    material: Material
    url: str
    python: str
    seeds_python: str
    node: str | None

    def worker(self, module: str, python: str | None = None) -> Worker:
        """A worker for the cases of a module."""
        where = f"{self.material.directory}|{self.url}"
        arguments = [python or self.python, "-m", "bench.worker", module, where, str(self.batch_milliseconds)]
        return Worker(arguments, ROOT, environment())

    def node_worker(self, name: str, subjects: Iterable[tuple[str, str]]) -> Worker:
        """A worker under Node.js, for some algorithms and kinds of token."""
        assert self.node is not None
        script = str(ROOT / "build" / "bench" / "node" / "worker.mjs")
        listed = ",".join(map(" ".join, subjects))
        where = str(self.material.directory)
        arguments = [self.node, script, name, where, str(self.batch_milliseconds), listed]
        return Worker(arguments, ROOT, environment())
