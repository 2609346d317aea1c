"""Prints the pinned requirements, with the library's own at the oldest version that pyproject.toml admits.

`make pins` has them resolved once more, into requirements/oldest.txt, which names the hash of every file.
With `mcp` as the second argument only what is left out there is old, for requirements/oldest-mcp.txt.
"""

from __future__ import annotations

import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

# Left to pip, as all of OpenTelemetry is: they follow the library's own by an exact version.
FOLLOWERS = {"httpcore2", "litestar-htmx"}
# These want a newer httpx2 than the library does: their floors are tried beside the newest of all others.
OF_MCP = {"fastmcp", "fastmcp-slim", "mcp", "mcp-types"}
# Programs beside the library, which run tests too: old ones warn of themselves, or stand in their way.
NOT_THE_LIBRARYS = {"cli", "demo"}


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
            (bound,) = (one for one in requirement.specifier if one.operator != "!=")
            assert bound.operator == ">=", line
            bounds[canonicalize_name(requirement.name)] = bound.version
    return bounds


bounds = oldest(tomllib.loads(Path("pyproject.toml").read_text())["project"])
is_for_mcp = sys.argv[2:] == ["mcp"]
for line in Path(sys.argv[1]).read_text().splitlines():
    if line.startswith(("#", " ")):
        continue  # a comment, or the hash of a file
    pin = Requirement(line.rstrip(" \\"))
    name = canonicalize_name(pin.name)
    if is_for_mcp:
        if name in OF_MCP:
            pin.specifier = SpecifierSet(f"=={bounds[name]}" if name in bounds else "")
    elif name in OF_MCP:
        continue
    elif name in bounds:
        pin.specifier = SpecifierSet(f"=={bounds[name]}")
    elif name in FOLLOWERS or name.startswith("opentelemetry-"):
        pin.specifier = SpecifierSet()
    print(pin)
