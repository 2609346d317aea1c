"""`python -m bearerguard`: the command line, where `bearerguard` is not on the path."""

from __future__ import annotations

import sys

from bearerguard.cli import main

if __name__ == "__main__":
    sys.exit(main())
