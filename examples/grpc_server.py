"""A gRPC server of orders, where a table says which rule each method has.

Its messages are JSON, so that it needs no code from protoc. Settings come from the environment:

    ISSUER    the issuer whose tokens are accepted
    AUDIENCE  what those tokens say that they are for
    PORT      where it serves, 50051 by default

README.md says how to run it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from bearerguard import Provider, ResourceServer, fresh, role, scope
from bearerguard.grpc import Guard

server = ResourceServer(Provider(os.environ["ISSUER"], audience=os.environ["AUDIENCE"]))
guard = Guard(server, realm="orders", close_at_expiry=True)

RULES = {
    "/shop.Orders/Place": scope("orders:write"),
    "/shop.Orders/Cancel": scope("orders:write") & role("admin") & fresh(max_age=300),
    "/shop.Orders/*": scope("orders:read"),
}

orders = {1: {"article": "a lamp", "by": "ada"}, 2: {"article": "a chair", "by": "ben"}}


async def check(request: None, context: Any) -> bool:
    """Say that it runs, to anybody."""
    return True


async def place(request: dict[str, str], context: Any) -> int:
    """Order something; it is oneself who does."""
    number = max(orders, default=0) + 1
    orders[number] = {"article": request["article"], "by": str(guard.token().subject)}
    return number


async def cancel(request: int, context: Any) -> None:
    """Cancel an order: for admins, who logged in at most five minutes ago."""
    if orders.pop(request, None) is None:
        await context.abort(grpc.StatusCode.NOT_FOUND, "There is no such order.")


async def browse(request: None, context: Any) -> AsyncIterator[dict[str, str]]:
    """Send the orders one by one: all of them for an admin, one's own for everybody else."""
    token = guard.token()
    for order in list(orders.values()):
        if "admin" in token.roles or order["by"] == token.subject:
            yield order


def as_json(value: Any) -> bytes:
    """Write a message."""
    return json.dumps(value).encode()


def unary(behavior: Any) -> Any:
    """Return the handler of a method with one answer."""
    return grpc.unary_unary_rpc_method_handler(behavior, json.loads, as_json)


METHODS = {
    "Place": unary(place),
    "Cancel": unary(cancel),
    "Browse": grpc.unary_stream_rpc_method_handler(browse, json.loads, as_json),
}


async def main() -> None:
    """Serve until it is ended."""
    api = grpc.aio.server(interceptors=[guard.interceptor(RULES, public={"/shop.Health/*"})])
    api.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("shop.Orders", METHODS),
            grpc.method_handlers_generic_handler("shop.Health", {"Check": unary(check)}),
        )
    )
    port = api.add_insecure_port(f"127.0.0.1:{os.environ.get('PORT', '50051')}")
    await api.start()
    print(f"serves at 127.0.0.1:{port}", flush=True)
    await api.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
