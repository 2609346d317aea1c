"""A small API of orders in aiohttp, where a rule on each handler says who may do what.

Settings come from the environment:

    ISSUER    the issuer whose tokens are accepted
    AUDIENCE  what those tokens say that they are for
    RESOURCE  the URL of this API as its clients know it; with it, the API publishes its metadata

README.md says how to run it.
"""

from __future__ import annotations

import os

from aiohttp import web

from bearerguard import Provider, ResourceServer, fresh, role, scope
from bearerguard.aiohttp import Guard

server = ResourceServer(Provider(os.environ["ISSUER"], audience=os.environ["AUDIENCE"]))
guard = Guard(server, resource=os.environ.get("RESOURCE"), realm="orders")

orders = {1: {"article": "a lamp", "by": "ada"}, 2: {"article": "a chair", "by": "ben"}}


async def health(request: web.Request) -> web.Response:
    """Say that it runs, to anybody."""
    return web.json_response("ok")


@guard.optional()
async def greeting(request: web.Request) -> web.Response:
    """Greet whoever it is, with a name where there is one."""
    token = guard.token_or_none(request)
    return web.json_response("Hello." if token is None else f"Hello, {token.subject}.")


class Orders(web.View):
    """All orders; each method has a rule of its own. A rule on the class would hold for all of them."""

    @guard.requires(scope("orders:read"))
    async def get(self) -> web.StreamResponse:
        """List the orders: all of them for an admin, one's own for everybody else."""
        token = guard.token(self.request)
        everything = "admin" in token.roles
        return web.json_response(
            {number: order for number, order in orders.items() if everything or order["by"] == token.subject}
        )

    @guard.requires(scope("orders:write"))
    async def post(self) -> web.StreamResponse:
        """Order something; it is oneself who does."""
        content = await self.request.json()
        article = content.get("article") if isinstance(content, dict) else None
        if not isinstance(article, str):
            raise web.HTTPUnprocessableEntity(text="Say which article.")
        number = max(orders, default=0) + 1
        orders[number] = {"article": article, "by": str(guard.token(self.request).subject)}
        return web.json_response(number, status=201)


@guard.requires(scope("orders:write") & role("admin") & fresh(max_age=300))
async def cancel_order(request: web.Request) -> web.Response:
    """Cancel an order: for admins, who logged in at most five minutes ago."""
    if orders.pop(int(request.match_info["number"]), None) is None:
        raise web.HTTPNotFound(text="There is no such order.")
    return web.Response(status=204)


app = guard.install(web.Application())
app.add_routes(
    [
        web.get("/health", health),
        web.get("/greeting", greeting),
        web.view("/orders", Orders),
        web.delete(r"/orders/{number:\d+}", cancel_order),
    ]
)
