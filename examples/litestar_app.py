"""A small API of orders in Litestar, where a guard on each handler says who may do what.

Settings come from the environment:

    ISSUER    the issuer whose tokens are accepted
    AUDIENCE  what those tokens say that they are for
    RESOURCE  the URL of this API as its clients know it; with it, the API publishes its metadata

README.md says how to run it.
"""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

from litestar import Controller, Litestar, MediaType, Request, WebSocket, delete, get, post, websocket
from litestar.exceptions import NotFoundException
from litestar.params import Body

from bearerguard import AccessToken, Provider, ResourceServer, fresh, role, scope
from bearerguard.litestar import Guard

server = ResourceServer(Provider(os.environ["ISSUER"], audience=os.environ["AUDIENCE"]))
guard = Guard(server, resource=os.environ.get("RESOURCE"), realm="orders")

orders = {1: {"article": "a lamp", "by": "ada"}, 2: {"article": "a chair", "by": "ben"}}

Asked = Request[Any, AccessToken, Any]


@get("/health", media_type=MediaType.JSON)
async def health() -> str:
    """Say that it runs, to anybody."""
    return json.dumps("ok")  # Litestar sends text as it is


@get("/greeting", media_type=MediaType.JSON, guards=[guard.optional()])
async def greeting(request: Request[Any, AccessToken | None, Any]) -> str:
    """Greet whoever it is, with a name where there is one."""
    return json.dumps("Hello." if request.auth is None else f"Hello, {request.auth.subject}.")


class Orders(Controller):
    """All orders; each handler has a rule of its own. A rule of the controller would hold for all of them."""

    path = "/orders"

    @get("/", guards=[guard.requires(scope("orders:read"))])
    async def list_orders(self, request: Asked) -> dict[int, dict[str, str]]:
        """List the orders: all of them for an admin, one's own for everybody else."""
        token = request.auth
        everything = "admin" in token.roles
        return {
            number: order for number, order in orders.items() if everything or order["by"] == token.subject
        }

    @post("/", guards=[guard.requires(scope("orders:write"))])
    async def order(self, request: Asked, data: Annotated[dict[str, str], Body()]) -> int:
        """Order something; it is oneself who does."""
        number = max(orders, default=0) + 1
        orders[number] = {"article": data["article"], "by": str(request.auth.subject)}
        return number

    @delete(
        "/{number:int}",
        guards=[guard.requires(scope("orders:write") & role("admin") & fresh(max_age=300))],
    )
    async def cancel(self, number: int) -> None:
        """Cancel an order: for admins, who logged in at most five minutes ago."""
        if orders.pop(number, None) is None:
            raise NotFoundException("There is no such order.")

    @websocket("/watch", guards=[guard.requires(scope("orders:read"))])
    async def watch(self, socket: WebSocket[Any, AccessToken, Any]) -> None:
        """Tell how many orders there are, whenever it is asked."""
        await socket.accept()
        async for _ in socket.iter_data("text"):
            await socket.send_json({"orders": len(orders), "to": socket.auth.subject})


app = Litestar([health, greeting, Orders], plugins=[guard])
