"""Prints the pinned requirements, with the library's own at the oldest version that pyproject.toml admits."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Left to pip: they follow the library's own by an exact version.
FOLLOWERS = {"httpcore2"}


def oldest(project: dict[str, object]) -> dict[str, str]:
    """The lower bounds of `dependencies` and of every extra, by canonical name."""
    extras = project["optional-dependencies"]
    groups = [project["dependencies"], *(extras.values() if isinstance(extras, dict) else ())]
    bounds: dict[str, str] = {}
    for line in (line for group in groups if isinstance(group, list) for line in group):
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
