"""The command line: reads which command is meant, imports that one, and leaves the rest to it.

One file per command. A command prints for people; no other module imports anything from here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from bearerguard._extra import MissingExtra

__all__ = ["main"]

# Each is a module here: `run(arguments)` does the work and returns the exit status. These sentences stand
# here, so that listing the commands imports none of them.
_COMMANDS = {
    "explain": "why a token is accepted or refused, and what to do",
    "doctor": "what is right and wrong with a provider or your settings",
    "inspect": "a page on this machine where you paste a token",
    "issuer": "a real issuer on this machine, for development",
    "demo": "a real issuer, a protected API, and a story between them",
}
_USAGE = {"doctor": 64}
"""The exit status where a command cannot be run here; 2 but for one to which that is a result."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: what stands after the program's name; by default, what the process was started with.

    Returns:
        The exit status: 2 (of `doctor`, 64) where the command needs packages that are not installed.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="bearerguard", description="An OAuth 2.0 resource server.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, about in _COMMANDS.items():
        commands.add_parser(name, help=about, add_help=False)  # it has a help of its own
    name = parser.parse_args(given[:1]).command
    try:
        command = import_module(f"bearerguard.cli.{name}")
    except MissingExtra as missing:
        print(f"bearerguard {name}: {missing}", file=sys.stderr)
        return _USAGE.get(name, 2)
    status: int = command.run(given[1:])
    return status
