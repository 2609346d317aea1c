"""A small API of orders in plain WSGI: every route is an application with a rule of its own.

It shows what the door needs to know of a framework, which is nothing. Settings come from the environment:

    ISSUER    the issuer whose tokens are accepted
    AUDIENCE  what those tokens say that they are for
    RESOURCE  the URL of this API as its clients know it; with it, the API publishes its metadata

README.md says how to run it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from bearerguard import AccessToken, Provider, ResourceServer, fresh, role, scope
from bearerguard.wsgi import App, Environ, Guard, StartResponse

server = ResourceServer(Provider(os.environ["ISSUER"], audience=os.environ["AUDIENCE"]))
guard = Guard(server, resource=os.environ.get("RESOURCE"), realm="orders")

orders = {1: {"article": "a lamp", "by": "ada"}, 2: {"article": "a chair", "by": "ben"}}


def health(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Say that it runs, to anybody."""
    return respond(start_response, 200, "ok")


@guard.optional()
def greeting(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Greet whoever it is, with a name where there is one."""
    token: AccessToken | None = environ["bearerguard.token"]
    return respond(start_response, 200, "Hello." if token is None else f"Hello, {token.subject}.")


@guard.requires(scope("orders:read"))
def list_orders(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """List the orders: all of them for an admin, one's own for everybody else."""
    token: AccessToken = environ["bearerguard.token"]
    mine = {n: order for n, order in orders.items() if "admin" in token.roles or order["by"] == token.subject}
    return respond(start_response, 200, mine)


@guard.requires(scope("orders:write"))
def place_order(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Order something; it is oneself who does."""
    token: AccessToken = environ["bearerguard.token"]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    content = json.loads(body)
    article = content.get("article") if isinstance(content, dict) else None
    if not isinstance(article, str):
        return respond(start_response, 422, "Say which article.")
    number = max(orders, default=0) + 1
    orders[number] = {"article": article, "by": str(token.subject)}
    return respond(start_response, 201, number)


@guard.requires(scope("orders:write") & role("admin") & fresh(max_age=300))
def cancel_order(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Cancel an order: for admins, who logged in at most five minutes ago."""
    number = environ["PATH_INFO"].rpartition("/")[2]
    order = orders.pop(int(number), None) if number.isdecimal() else None
    return respond(start_response, 404 if order is None else 204)


def nothing(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Say that there is nothing here."""
    return respond(start_response, 404)


ROUTES: dict[tuple[str, str], App] = {
    ("GET", "/health"): health,
    ("GET", "/greeting"): greeting,
    ("GET", "/orders"): list_orders,
    ("POST", "/orders"): place_order,
    ("DELETE", "/orders/"): cancel_order,
}


def router(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Pass a request on to the route for its method and path."""
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    parent = path[: path.rfind("/") + 1]
    route = ROUTES.get((method, path)) or ROUTES.get((method, parent)) or nothing
    return route(environ, start_response)


def respond(start_response: StartResponse, status: int, content: Any = None) -> Iterable[bytes]:
    """Send a response, with JSON where there is something to say."""
    body = b"" if content is None else json.dumps(content).encode()
    start_response(
        f"{status} {HTTPStatus(status).phrase}", [("Content-Type", "application/json")] if body else []
    )
    return [body]


app = guard.install(router)
