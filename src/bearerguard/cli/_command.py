"""What every command of click has in common: how it is run, and what its exit status means.

click leaves the process by itself; here a command returns its status, so that a command has its own for a
mistake in how it was called.
"""

from __future__ import annotations

import logging
import sys
from io import TextIOWrapper

from bearerguard._extra import extra

with extra("cli"):
    import click
    from rich.console import Console

__all__ = ["errors", "output", "run_command"]

_INTERRUPTED = 130
"""What shells return for a command that was ended by Ctrl-C."""


def run_command(command: click.Command, arguments: list[str], *, usage: int = 2) -> int:
    """Run a command and return its exit status.

    Args:
        command: returns its status.
        arguments: what stands after its name.
        usage: the status for a mistake in how it was called.
    """
    # What is wrong with a provider is a part of the report, and would be logged a second time in between.
    logging.getLogger("bearerguard").addHandler(logging.NullHandler())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that cannot show a character is shown its number
            stream.reconfigure(errors="backslashreplace")
    try:
        status = command.main(arguments, prog_name=f"bearerguard {command.name}", standalone_mode=False)
    except click.UsageError as problem:
        problem.show()
        return usage
    except (click.Abort, KeyboardInterrupt):
        print("\nStopped.", file=sys.stderr)
        return _INTERRUPTED
    return int(status or 0)


def output() -> Console:
    """The terminal to which results go. What is printed is text: nothing in it is markup."""
    return Console(markup=False, highlight=False, emoji=False)


def errors() -> Console:
    """The terminal to which everything goes that is not a result."""
    return Console(markup=False, highlight=False, emoji=False, stderr=True)
