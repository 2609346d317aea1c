"""`python -m bearerguard.cli`: the same as `python -m bearerguard`."""

from __future__ import annotations

import sys

from bearerguard.cli import main

if __name__ == "__main__":
    sys.exit(main())
