"""What a run of the suite leaves out, and says so.

Only `.ci/run` leaves anything out. There is no gRPC for a free-threaded Python, and the packages of the seeds
do not start on Python 3.14. The MCP SDK and FastMCP want a newer httpx2 than the oldest that the library
takes, so their doors are tried in a run of their own. And what is real (providers, proxies, stores, browsers,
other people's packages) is tried on one interpreter only, as it takes its time.
"""

from __future__ import annotations

import os

LEFT_OUT = frozenset(os.environ.get("BEARERGUARD_LEFT_OUT", "").split())
"""Any of `grpc`, `mcp`, `real` and `seeds`."""

FILES = {
    "grpc": ["doors/test_grpc_guard.py", "examples/test_grpc_server.py"],
    "mcp": [
        "doors/test_fastmcp.py",
        "doors/test_mcp_functions.py",
        "doors/test_mcp_guard.py",
        "doors/test_mcp_messages.py",
        "examples/test_mcp_server.py",
    ],
    "real": ["browser", "examples/test_fleet.py", "integration", "migrating", "stores"],
    "seeds": ["seeds"],
}
"""Their tests, by files and folders."""


def is_left_out(module: str) -> bool:
    """Whether a module is of a room that is left out."""
    _, _, room = module.partition(".")
    return room.partition(".")[0] in LEFT_OUT
