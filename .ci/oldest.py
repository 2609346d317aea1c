"""Prints the pinned requirements, with the library's own at the oldest version that pyproject.toml admits."""

from __future__ import annotations

import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Left to pip: they follow the library's own by an exact version.
FOLLOWERS = {"httpcore2"}
# Programs beside the library, which run tests too: old ones warn of themselves.
NOT_THE_LIBRARYS = {"demo"}


def oldest(project: dict[str, Any]) -> dict[str, str]:
    """The lower bounds of `dependencies` and of the extras, by canonical name."""
    extras = {
        name: lines
        for name, lines in project["optional-dependencies"].items()
        if name not in NOT_THE_LIBRARYS
    }
    bounds: dict[str, str] = {}
    for line in chain(project["dependencies"], *extras.values()):
        requirement = Requirement(line)
        if requirement.name != project["name"]:
            (bound,) = requirement.specifier
            assert bound.operator == ">=", line
            bounds[canonicalize_name(requirement.name)] = bound.version
    return bounds


bounds = oldest(tomllib.loads(Path("pyproject.toml").read_text())["project"])
for line in Path(sys.argv[1]).read_text().splitlines():
    name, separator, version = line.partition("==")
    if separator and canonicalize_name(name) not in FOLLOWERS:
        print(f"{name}=={bounds.get(canonicalize_name(name), version)}")
