"""Where other people's test vectors lie: outside the repository, since they are data and not ours.

The folder is `BEARERGUARD_VECTORS`, or `shared/vectors` beside the repository. Where it is missing the tests
say so and are skipped; with `BEARERGUARD_REQUIRE_VECTORS=1` they fail.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

_DEFAULT = Path(__file__).parents[2] / ".." / "shared" / "vectors"
FOLDER = Path(os.environ.get("BEARERGUARD_VECTORS") or _DEFAULT).resolve()


def read_vectors(name: str) -> Any:
    """The JSON document `name`; skips the module that asks for it, or fails it, where there is none."""
    path = FOLDER / name
    if not path.is_file():
        missing = f"no test vectors: set BEARERGUARD_VECTORS to the folder that has {name}"
        if os.environ.get("BEARERGUARD_REQUIRE_VECTORS") == "1":
            raise FileNotFoundError(missing)
        pytest.skip(missing, allow_module_level=True)
    return json.loads(path.read_text(encoding="utf-8"))
