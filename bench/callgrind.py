"""A process under callgrind, cut into intervals by marks that it sets itself, and what each took.

Instructions are the same under any load. The mark is a call of libc's `getloadavg`, which nothing else calls:
callgrind is told to write down what it has counted, and to begin anew, whenever that function is entered.
That takes neither a compiler nor an extension, and leaves the profile of each interval in a file of its own,
ready for `callgrind_annotate`. Every batch is bracketed by two marks, and the first pair of marks has nothing
between them: what that interval counts is the mark itself, and is taken off all others.

The processor that valgrind shows has no SHA instructions, so hashing costs several times what it does in
production. It is therefore counted apart.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.environments import environment

mark = os.getloadavg


def is_installed() -> bool:
    """Whether there is a valgrind."""
    return shutil.which("valgrind") is not None


def command(out: Path, arguments: Sequence[str]) -> list[str]:
    """The command that counts another one.

    Args:
        out: Where the profiles go: this name and a number for each interval, this name for what comes last.
        arguments: The other command.
    """
    for stale in out.parent.glob(f"{out.name}*"):
        stale.unlink()
    options = ("--tool=callgrind", "--quiet", "--dump-before=getloadavg", f"--callgrind-out-file={out}")
    return ["valgrind", *options, *arguments]


def surroundings() -> dict[str, str]:
    """The environment variables of a counted process."""
    # A valgrind that learns the SHA instructions would count less than this one: OpenSSL leaves them out.
    return {**environment(), "OPENSSL_ia32cap": ":~0x20000000"}


def _counted(profile: Path) -> int:
    found = re.search(r"^(?:summary|totals): (\d+)", profile.read_text("utf-8", "replace"), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{profile} says nothing of a total")
    return int(found[1])


def whole(out: Path) -> int:
    """The instructions of a process that has set no mark."""
    return _counted(out)


def intervals(out: Path, count: int) -> list[int]:
    """The instructions between the marks of each of `count` batches, less those of the first, an empty one.

    Raises:
        FileNotFoundError: Fewer marks were set.
    """
    counted = [_counted(profile_of(out, number)) for number in range(count)]
    return [one - counted[0] for one in counted]


def profile_of(out: Path, number: int) -> Path:
    """The profile of a batch; the first is number 0. Before it, and between two, lies what is not counted."""
    return out.with_name(f"{out.name}.{2 * number + 2}")
