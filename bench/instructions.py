"""`python -m bench.instructions`: count instructions under callgrind, print a row for each target, fail where one is missed.

Unlike `make bench` it asserts: instructions are the same under any load. A row may miss its target by 0.05, as a
ratio or a share, before it fails; a row in instructions by 5 %. The profiles of every batch stay in
build/bench/instructions, and `profiles.txt` there says which is which.
"""

from __future__ import annotations

import functools
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from bench import callgrind, environments, first_verification, key_sets
from bench.kinds import KINDS
from bench.material import Material, mint_few
from bench.report import aligned

OUT = environments.BUILD / "instructions"
WARM, COUNT, TURNS = 24, 64, 2
POOL = WARM + TURNS * COUNT
SERVED = ("bare", "signature", "bearerguard")
Counts = dict[str, float]
"""Instructions of one item, by what was counted."""


@dataclass(frozen=True)
class Row:
    """A target.

    Attributes:
        what: What was counted, for a person.
        value: The figure.
        unit: `x` (a ratio), `%`, `k` (thousands of instructions), or what is told one by one.
        target: What it has to reach.
        at_least: Whether more is better.
        note: What else a reader should know.
    """

    what: str
    value: float
    unit: str
    target: float
    at_least: bool = False
    note: str = ""

    @property
    def gate(self) -> float:
        """What must not be missed."""
        allowed = {"x": 0.05, "%": 5.0, "k": 0.05 * self.target}.get(self.unit, 0.0)
        return self.target - allowed if self.at_least else self.target + allowed

    def reaches(self, bound: float) -> bool:
        """Whether the figure is on the right side of a bound."""
        return self.value >= bound if self.at_least else self.value <= bound

    def cells(self) -> list[str]:
        """What, figure, target, gate, and the verdict."""
        sign = ">=" if self.at_least else "<="
        verdict = "met" if self.reaches(self.target) else "near" if self.reaches(self.gate) else "MISSED"
        shown = [f"{value:.2f} {self.unit}" for value in (self.value, self.target, self.gate)]
        return [self.what, shown[0], f"{sign} {shown[1]}", f"{sign} {shown[2]}", verdict, self.note]


# ---- what is counted


def count_steps(python: str, material: Material) -> Counts:
    """The steps of `bench.steps`, by kind and step."""
    out = OUT / "steps"
    command = callgrind.command(out, [python, "-m", "bench.steps", str(material.directory)])
    printed = _output(command)
    batches = [json.loads(line) for line in printed.splitlines()]
    _list_profiles(out, [f"{kind} {step}, {count}" for kind, step, count in batches])
    return {
        f"{kind} {step}": total / count
        for (kind, step, count), total in zip(batches, callgrind.intervals(out, len(batches)), strict=True)
    }


def _ask(client: HTTPConnection, path: str, token: str = "") -> None:
    client.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    answer = client.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"the application answered {answer.status}")


def count_served(python: str, material: Material, served: str) -> Counts:
    """Requests that one of the applications of `bench.served_app` answers under uvicorn, asked from outside.

    One connection is kept and asked in sequence, so that every request is a turn of the event loop by itself.
    """
    out = OUT / served
    command = callgrind.command(out, [python, "-m", "bench.served_app", served, str(material.directory)])
    batches = [("", "marks", 0)]
    with subprocess.Popen(
        command,
        cwd=environments.ROOT,
        env=callgrind.surroundings(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        client = HTTPConnection("127.0.0.1", int(process.stdout.readline()))

        def batch(tokens: list[str]) -> None:
            _ask(client, "/mark")
            for token in tokens:
                _ask(client, "/greeting", token)
            _ask(client, "/mark")

        batch([])
        for kind in KINDS:
            tokens = material.tokens(f"RS256.{kind}")
            for token in tokens[:1] * WARM + tokens[1:WARM]:
                _ask(client, "/greeting", token)
            for start in range(WARM, WARM + TURNS * COUNT, COUNT):
                for name, counted in (("repeated", tokens[:1] * COUNT), ("new", tokens[start : start + COUNT])):
                    batch(counted)
                    batches.append((kind, name, COUNT))
        client.close()
        process.communicate()
    _list_profiles(out, [f"{kind} {name}, {count}" for kind, name, count in batches])
    totals = callgrind.intervals(out, len(batches))
    counts: Counts = {}
    for (kind, name, count), total in list(zip(batches, totals, strict=True))[1:]:
        # The server's own timer only ever adds to a batch, so of several the smallest counts.
        counts[f"{kind} {name}"] = min(total / count, counts.get(f"{kind} {name}", math.inf))
    return counts


def count_process(python: str, name: str, program: str) -> float:
    """A whole process, from its start to its end; it has run once before, so bytecode is on disk."""
    out = OUT / name.replace(" ", "-")
    arguments = [python, "-c", program]
    subprocess.run(arguments, cwd=environments.ROOT, env=callgrind.surroundings(), check=True)
    _output(callgrind.command(out, arguments))
    return callgrind.whole(out)


def _output(command: list[str]) -> str:
    done = subprocess.run(
        command,
        cwd=environments.ROOT,
        env=callgrind.surroundings(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def _list_profiles(out: Path, batches: list[str]) -> None:
    lines = [
        f"{callgrind.profile_of(out, number).name:20} {batch}\n" for number, batch in enumerate(batches)
    ]
    out.with_suffix(".txt").write_text("".join(lines), "utf-8")


def count_processes(python: str, with_trio: str, material: Material) -> Counts:
    """First verifications and imports, each in a process of its own."""
    directory, first = material.directory, first_verification
    with key_sets.served(directory) as url:
        writing = [python, "-c", first.ours_writing(directory, url)]
        subprocess.run(writing, cwd=environments.ROOT, env=callgrind.surroundings(), check=True)
        snapshot = first.ours_with_snapshot(directory, url)
        counts = {
            name: count_process(interpreter, name, program)
            for name, interpreter, program in (
                ("first", python, first.ours(directory, url)),
                ("first with trio", with_trio, first.ours(directory, url)),
                ("first with snapshot", python, snapshot),
                ("first of PyJWT", python, first.pyjwt(directory, url)),
                ("import", python, "import bearerguard"),
                ("import of the floor", python, first.CRYPTOGRAPHY_AND_MSGSPEC),
            )
        }
        printed = _output([python, "-c", first.saying_what_came_along(snapshot)])
    return {**counts, "unwanted": len(first.came_along(printed))}


# ---- what it says

FLAT = [name for name, kind in KINDS.items() if name != "example" and not kind.nested]
NESTED = ["keycloak-small", "keycloak", "kubernetes"]
"""Without the largest of Keycloak's, which stands in the table of kinds: nobody's usual token."""


@dataclass(frozen=True)
class Found:
    """Everything that was counted, and what follows from it for a kind."""

    steps: Counts
    served: dict[str, Counts]
    processes: Counts

    def step(self, kind: str, name: str) -> float:
        """Instructions of a step."""
        return self.steps[f"{kind} {name}"]

    def hash(self, kind: str) -> float:
        """SHA-256 of the whole token."""
        return self.step(kind, "sha256")

    def verify_new(self, kind: str) -> float:
        """`verify` of a new token, over the bare signature."""
        return self.step(kind, "verify new") / self.step(kind, "signature")

    def middleware(self, kind: str) -> float:
        """What `AuthenticateMiddleware` adds to a request under uvicorn, repeated, less the hash."""
        repeated = f"{kind} repeated"
        return self.served["bearerguard"][repeated] - self.served["bare"][repeated] - self.hash(kind)

    def middleware_ratio(self, kind: str) -> float:
        """The same, over that of the example token."""
        return self.middleware(kind) / self.middleware("example")

    def middleware_in_process(self, kind: str) -> float:
        """The same in process, without a server."""
        return self.step(kind, "request middleware") - self.step(kind, "request bare") - self.hash(kind)

    def guard(self, kind: str, door: str) -> float:
        """What `guard.requires(scope(...))` adds to one that does nothing, repeated, less the hash."""
        return self.step(kind, f"{door} requires") - self.step("", f"{door} nothing") - self.hash(kind)

    def rule(self, kind: str) -> float:
        """What a rule of three parts adds to the check of a remembered token."""
        return self.step(kind, "authenticate, three rules") - self.step(kind, "authenticate, no rule")

    def share(self, kind: str) -> float:
        """Requests with new tokens, of those of the server that checks only the signature; in percent."""
        new = f"{kind} new"
        return 100 * self.served["signature"][new] / self.served["bearerguard"][new]


def _worst(
    what: str, kinds: Iterable[str], figure: Callable[[str], float], unit: str, target: float, scale: float = 1.0
) -> Row:
    value, kind = max((figure(kind) * scale, kind) for kind in kinds)
    return Row(what, value, unit, target, note=KINDS[kind].title)


def rows(found: Found, sizes: dict[str, int]) -> list[Row]:
    """A row for each target."""
    real = [kind for kind in KINDS if kind != "example"]
    adds = "AuthenticateMiddleware adds under uvicorn, repeated, less SHA-256, against the example:"
    process = found.processes
    told = f"with trio installed {process['first with trio'] / process['first of PyJWT']:.2f}"
    small = [kind for kind in real if sizes[kind] <= 2048]
    middle = [kind for kind in real if 2048 < sizes[kind] <= 3072]
    against = "verify, new, against the bare signature:"
    return [
        _worst(f"{adds} flat claims and lists", FLAT, found.middleware_ratio, "x", 1.3),
        _worst(f"{adds} nested claims", NESTED, found.middleware_ratio, "x", 1.8),
        *(
            _worst(
                f"guard.requires adds to one that does nothing, repeated, less SHA-256: {title}",
                KINDS,
                lambda kind, door=door: found.guard(kind, door),
                "k",
                target,
                1e-3,
            )
            for door, title, target in (("fastapi", "FastAPI", 20.0), ("flask", "Flask", 30.0))
        ),
        *(
            _worst(
                f"token.{name} of a remembered token",
                KINDS,
                lambda kind, name=name: found.step(kind, f"read {name}"),
                "k",
                0.5,
                1e-3,
            )
            for name in ("scopes", "roles", "permissions")
        ),
        _worst("a rule of three parts, of a remembered token", KINDS, found.rule, "k", 3.0, 1e-3),
        _worst(f"{against} the example", ["example"], found.verify_new, "x", 1.16),
        _worst(f"{against} up to 2 kB", small, found.verify_new, "x", 1.3),
        _worst(f"{against} up to 3 kB", middle, found.verify_new, "x", 1.4),
        *(
            Row(
                "uvicorn, each token new, of the same server with only the signature check",
                found.share(kind),
                "%",
                target,
                at_least=True,
                note=KINDS[kind].title,
            )
            for kind, target in (("example", 92.0), ("keycloak-small", 84.0), ("entra", 80.0))
        ),
        Row(
            "first verification of a process, keys fetched, against PyJWT",
            process["first"] / process["first of PyJWT"],
            "x",
            1.9,
            note=told,
        ),
        Row(
            "first verification of a process, with snapshot=, against PyJWT",
            process["first with snapshot"] / process["first of PyJWT"],
            "x",
            1.0,
        ),
        Row("  imported by it of httpx2 and anyio", process["unwanted"], "modules", 0.0),
        Row(
            "import bearerguard, against cryptography and msgspec",
            process["import"] / process["import of the floor"],
            "x",
            1.3,
        ),
    ]


KIND_HEADING = [
    *("kind", "bytes", "SHA-256", "signature", "verify new", "/ signature", "repeated", "middleware", "in process"),
    *("/ example", "FastAPI", "Flask", "scopes", "roles", "permissions", "3 rules", "uvicorn new"),
]


def kind_cells(found: Found, kind: str, size: int) -> list[str]:
    """All that was counted of a kind; thousands of instructions where it is no ratio."""

    def thousands(*figures: float) -> list[str]:
        return [f"{figure / 1e3:.1f}" for figure in figures]

    step = functools.partial(found.step, kind)
    return [
        KINDS[kind].title,
        str(size),
        *thousands(found.hash(kind), step("signature"), step("verify new")),
        f"{found.verify_new(kind):.3f}",
        *thousands(step("verify repeated") - found.hash(kind)),
        *thousands(found.middleware(kind), found.middleware_in_process(kind)),
        f"{found.middleware_ratio(kind):.2f}",
        *thousands(found.guard(kind, "fastapi"), found.guard(kind, "flask")),
        *thousands(*(step(f"read {name}") for name in ("scopes", "roles", "permissions")), found.rule(kind)),
        f"{found.share(kind):.1f} %",
    ]


def main() -> int:
    """Count, print, and say by the exit status whether a gate is missed."""
    python = environments.python("instructions")
    if Path(sys.executable) != Path(python):
        again = [python, "-m", "bench.instructions", *sys.argv[1:]]
        return subprocess.run(again, env=environments.environment(), cwd=environments.ROOT, check=False).returncode
    if not callgrind.is_installed():
        print("valgrind is not installed: apt-get install valgrind", file=sys.stderr)
        return 2
    began = time.monotonic()
    OUT.mkdir(parents=True, exist_ok=True)
    with_trio = environments.python("instructions-trio")
    material = mint_few(OUT / "material", POOL)
    with ThreadPoolExecutor(2) as two:  # as many as a small machine has processors
        steps = two.submit(count_steps, python, material)
        served = {name: two.submit(count_served, python, material, name) for name in SERVED}
        processes = two.submit(count_processes, python, with_trio, material)
        found = Found(
            steps.result(), {name: counts.result() for name, counts in served.items()}, processes.result()
        )
    sizes = {kind: len(material.tokens(f"RS256.{kind}")[0]) for kind in KINDS}
    table = rows(found, sizes)
    print("Thousands of instructions (k), less SHA-256 where said; valgrind has no SHA instructions.\n")
    print(aligned(KIND_HEADING, (kind_cells(found, kind, sizes[kind]) for kind in KINDS)))
    print()
    print(aligned(ROW_HEADING, (row.cells() for row in table)))
    missed = [row for row in table if not row.reaches(row.gate)]
    print(f"\n{len(missed)} of {len(table)} rows missed, in {time.monotonic() - began:.0f} s")
    return int(bool(missed))


ROW_HEADING = ["row", "figure", "target", "gate", "verdict", "of"]

if __name__ == "__main__":
    sys.exit(main())
