"""An MCP server of orders, where a rule on each tool says who may call it.

Settings come from the environment:

    ISSUER    the issuer whose tokens are accepted
    AUDIENCE  what those tokens say that they are for
    RESOURCE  the URL of this server as its clients know it; with it, the server publishes its metadata

README.md says how to run it.
"""

from __future__ import annotations

import os
from typing import Any

from mcp.server import MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse

from bearerguard import Provider, ResourceServer, fresh, role, scope
from bearerguard.mcp import Guard

server = ResourceServer(Provider(os.environ["ISSUER"], audience=os.environ["AUDIENCE"]))
guard = Guard(server, resource=os.environ.get("RESOURCE"), realm="orders")

mcp = MCPServer[Any]("Orders")

orders = {1: {"article": "a lamp", "by": "ada"}, 2: {"article": "a chair", "by": "ben"}}


@mcp.custom_route("/health", ["GET"])  # type: ignore[untyped-decorator]  # the SDK does not annotate what it returns
async def health(request: Request) -> JSONResponse:
    """Say that it runs, to anybody."""
    return JSONResponse("ok")


@mcp.tool()
def list_orders() -> dict[int, dict[str, str]]:
    """List the orders: all of them for an admin, one's own for everybody else."""
    token = guard.token()
    everything = "admin" in token.roles
    return {number: order for number, order in orders.items() if everything or order["by"] == token.subject}


@mcp.tool()
@guard.requires(scope("orders:write"))
def place_order(article: str) -> int:
    """Order something; it is oneself who does."""
    number = max(orders, default=0) + 1
    orders[number] = {"article": article, "by": str(guard.token().subject)}
    return number


@mcp.tool()
@guard.requires(scope("orders:write") & role("admin") & fresh(max_age=300))
def cancel_order(number: int) -> bool:
    """Cancel an order: for admins, who logged in at most five minutes ago."""
    return orders.pop(number, None) is not None


app = guard.protect(mcp.streamable_http_app(), scope("orders:read"), {"/health"})
