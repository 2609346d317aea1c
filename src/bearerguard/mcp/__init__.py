"""The door for MCP servers: the Python SDK's `MCPServer`, and FastMCP.

`Guard` stands in front of the server's HTTP application and asks a tool's own rule before anything is sent.
`Verifier` is for programs that keep the SDK's `AuthSettings`.
"""

from __future__ import annotations

from bearerguard._extra import extra

with extra("mcp"):
    from bearerguard.mcp.guard import Guard
    from bearerguard.mcp.verifier import Verifier

__all__ = ["Guard", "Verifier"]
