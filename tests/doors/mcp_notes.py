"""An MCP server to call: a tool for everybody, and a rule on one thing of each kind."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from starlette.applications import Starlette

from bearerguard import ResourceServer, scope
from bearerguard.context import verified_token
from bearerguard.mcp import Guard
from tests.doors_under_test.mcp_doors import ANY_HOST

importlib.import_module("jsonschema")  # the client does, when its first result comes: that reads files
RESOURCE = "https://api.test/mcp"
READER: dict[str, Any] = {"sub": "ada", "scope": "notes:read"}


class Notes(NamedTuple):
    """An MCP server with a rule on one thing of each kind, and who entered them."""

    server: MCPServer[Any]
    guard: Guard
    entered: list[str]

    def app(self, **options: Any) -> Starlette:
        return self.server.streamable_http_app(transport_security=ANY_HOST, **options)

    def protected(self, **options: Any) -> Any:
        return self.guard.protect(self.app(**options), scope("notes:read"))


def notes(server: ResourceServer) -> Notes:
    guard = Guard(server, resource=RESOURCE)
    mcp = MCPServer[Any]("Notes", log_level="CRITICAL")
    entered: list[str] = []

    @mcp.tool()
    def whoami() -> str:
        token = get_access_token()
        return "nobody" if token is None else str(token.subject)

    @mcp.tool(name="wipe")
    @guard.requires(scope("notes:purge"))
    async def purge(which: str = "all") -> str:
        """Throw notes away."""
        entered.append(f"purge {which}")
        named = verified_token()
        return f"{which}, by {guard.token().subject}, logged as {named.subject if named else ''}"

    @mcp.prompt()
    @guard.requires(scope("notes:prompt"))
    def summarize(topic: str) -> str:
        entered.append("summarize")
        return f"Summarize {topic}."

    @mcp.resource("note://{number}")
    @guard.requires(scope("notes:secret"))
    async def note(number: str) -> str:
        entered.append("note")
        return f"note {number}"

    @mcp.resource("notes://all")
    @guard.requires(scope("notes:all"))
    def everything() -> str:
        entered.append("everything")
        return "everything"

    return Notes(mcp, guard, entered)
