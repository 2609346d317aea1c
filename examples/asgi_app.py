"""A small API of orders in plain ASGI: every route is an application with a rule of its own.

It shows what the door needs to know of a framework, which is nothing. Settings come from the environment:

    ISSUER    the issuer whose tokens are accepted
    AUDIENCE  what those tokens say that they are for
    RESOURCE  the URL of this API as its clients know it; with it, the API publishes its metadata

README.md says how to run it.
"""

from __future__ import annotations

import json
import os
from typing import Any

from bearerguard import AccessToken, Provider, ResourceServer, fresh, role, rules
from bearerguard.asgi import App, Guard, Receive, Scope, Send

server = ResourceServer(Provider(os.environ["ISSUER"], audience=os.environ["AUDIENCE"]))
guard = Guard(server, resource=os.environ.get("RESOURCE"), realm="orders")

orders = {1: {"article": "a lamp", "by": "ada"}, 2: {"article": "a chair", "by": "ben"}}


async def health(scope: Scope, receive: Receive, send: Send) -> None:
    """Say that it runs, to anybody."""
    await respond(send, 200, "ok")


@guard.optional()
async def greeting(scope: Scope, receive: Receive, send: Send) -> None:
    """Greet whoever it is, with a name where there is one."""
    token: AccessToken | None = scope["bearerguard.token"]
    await respond(send, 200, "Hello." if token is None else f"Hello, {token.subject}.")


@guard.requires(rules.scope("orders:read"))
async def list_orders(scope: Scope, receive: Receive, send: Send) -> None:
    """List the orders: all of them for an admin, one's own for everybody else."""
    token: AccessToken = scope["bearerguard.token"]
    mine = {n: order for n, order in orders.items() if "admin" in token.roles or order["by"] == token.subject}
    await respond(send, 200, mine)


@guard.requires(rules.scope("orders:write"))
async def place_order(scope: Scope, receive: Receive, send: Send) -> None:
    """Order something; it is oneself who does."""
    token: AccessToken = scope["bearerguard.token"]
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    content = json.loads(body)
    article = content.get("article") if isinstance(content, dict) else None
    if not isinstance(article, str):
        await respond(send, 422, "Say which article.")
        return
    number = max(orders, default=0) + 1
    orders[number] = {"article": article, "by": str(token.subject)}
    await respond(send, 201, number)


@guard.requires(rules.scope("orders:write") & role("admin") & fresh(max_age=300))
async def cancel_order(scope: Scope, receive: Receive, send: Send) -> None:
    """Cancel an order: for admins, who logged in at most five minutes ago."""
    number = scope["path"].rpartition("/")[2]
    order = orders.pop(int(number), None) if number.isdecimal() else None
    await respond(send, 404 if order is None else 204)


@guard.requires(rules.scope("orders:read"))
async def watch_orders(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell how many orders there are, whenever it is asked. For programs: a browser cannot send a header."""
    token: AccessToken = scope["bearerguard.token"]
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            text = json.dumps({"orders": len(orders), "to": token.subject})
            await send({"type": "websocket.send", "text": text})


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Say that there is nothing here."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
    elif scope["type"] == "http":
        await respond(send, 404)


ROUTES: dict[tuple[str, str], App] = {
    ("GET", "/health"): health,
    ("GET", "/greeting"): greeting,
    ("GET", "/orders"): list_orders,
    ("POST", "/orders"): place_order,
    ("DELETE", "/orders/"): cancel_order,
    ("websocket", "/orders/watch"): watch_orders,
}


async def router(scope: Scope, receive: Receive, send: Send) -> None:
    """Pass a request on to the route for its method and path."""
    path = scope.get("path", "")
    parent = path[: path.rfind("/") + 1]
    method = scope.get("method", scope["type"])
    route = ROUTES.get((method, path)) or ROUTES.get((method, parent)) or nothing
    await route(scope, receive, send)


async def respond(send: Send, status: int, content: Any = None) -> None:
    """Send a response, with JSON where there is something to say."""
    body = b"" if content is None else json.dumps(content).encode()
    headers = [(b"content-type", b"application/json")] if body else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = guard.install(router)
