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

# Each is a module here: `add_to(parser)` adds its options, `run(options)` does the work and returns the exit
# status. These sentences stand here, so that listing the commands imports none of them.
_COMMANDS = {
    "demo": "a real issuer, a protected API, and a story between them",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: what stands after the program's name; by default, what the process was started with.

    Returns:
        The exit status: 2 where the command needs packages that are not installed.
    """
    parser = argparse.ArgumentParser(prog="bearerguard", description="An OAuth 2.0 resource server.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, about in _COMMANDS.items():
        commands.add_parser(name, help=about, add_help=False)  # its own parser, below, has the help
    given, rest = parser.parse_known_args(arguments)
    try:
        command = import_module(f"bearerguard.cli.{given.command}")
    except MissingExtra as missing:
        print(f"bearerguard {given.command}: {missing}", file=sys.stderr)
        return 2
    options = argparse.ArgumentParser(
        prog=f"bearerguard {given.command}", description=_COMMANDS[given.command]
    )
    command.add_to(options)
    status: int = command.run(options.parse_args(rest))
    return status
