"""`python -m bearerguard.cli`: reads which command is meant, and leaves the rest to it."""

from __future__ import annotations

import argparse
import sys

from bearerguard.cli import demo


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit status."""
    parser = argparse.ArgumentParser(prog="bearerguard", description="An OAuth 2.0 resource server.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo.add_to(commands)
    given = parser.parse_args(arguments)
    status: int = given.run(given)
    return status


if __name__ == "__main__":
    sys.exit(main())
