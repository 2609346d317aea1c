"""A small API of orders in Starlette, where a rule on each endpoint says who may do what.

Settings come from the environment:

    ISSUER    the issuer whose tokens are accepted
    AUDIENCE  what those tokens say that they are for
    RESOURCE  the URL of this API as its clients know it; with it, the API publishes its metadata

README.md says how to run it.
"""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from bearerguard import Provider, ResourceServer, fresh, role, scope
from bearerguard.starlette import Guard

server = ResourceServer(Provider(os.environ["ISSUER"], audience=os.environ["AUDIENCE"]))
guard = Guard(server, resource=os.environ.get("RESOURCE"), realm="orders")

orders = {1: {"article": "a lamp", "by": "ada"}, 2: {"article": "a chair", "by": "ben"}}


async def health(request: Request) -> JSONResponse:
    """Say that it runs, to anybody."""
    return JSONResponse("ok")


@guard.optional()
async def greeting(request: Request) -> JSONResponse:
    """Greet whoever it is, with a name where there is one."""
    token = guard.token_or_none(request)
    return JSONResponse("Hello." if token is None else f"Hello, {token.subject}.")


class Orders(HTTPEndpoint):
    """All orders; each method has a rule of its own. A rule on the class would hold for all of them."""

    @guard.requires(scope("orders:read"))
    async def get(self, request: Request) -> JSONResponse:
        """List the orders: all of them for an admin, one's own for everybody else."""
        token = guard.token(request)
        everything = "admin" in token.roles
        return JSONResponse(
            {number: order for number, order in orders.items() if everything or order["by"] == token.subject}
        )

    @guard.requires(scope("orders:write"))
    async def post(self, request: Request) -> JSONResponse:
        """Order something; it is oneself who does."""
        content = await request.json()
        article = content.get("article") if isinstance(content, dict) else None
        if not isinstance(article, str):
            raise HTTPException(422, "Say which article.")
        number = max(orders, default=0) + 1
        orders[number] = {"article": article, "by": str(guard.token(request).subject)}
        return JSONResponse(number, 201)


@guard.requires(scope("orders:write") & role("admin") & fresh(max_age=300))
async def cancel_order(request: Request) -> Response:
    """Cancel an order: for admins, who logged in at most five minutes ago."""
    if orders.pop(request.path_params["number"], None) is None:
        raise HTTPException(404, "There is no such order.")
    return Response(status_code=204)


@guard.requires(scope("orders:read"))
async def watch_orders(websocket: WebSocket) -> None:
    """Tell how many orders there are, whenever it is asked. For programs: a browser cannot send a header."""
    await websocket.accept()
    async for _ in websocket.iter_text():
        await websocket.send_json({"orders": len(orders), "to": guard.token(websocket).subject})


app = guard.install(
    Starlette(
        routes=[
            Route("/health", health),
            Route("/greeting", greeting),
            Route("/orders", Orders),
            Route("/orders/{number:int}", cancel_order, methods=["DELETE"]),
            WebSocketRoute("/orders/watch", watch_orders),
        ]
    )
)
