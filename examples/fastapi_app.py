"""A small API of orders in FastAPI, where a rule on each route says who may do what.

Settings come from the environment:

    ISSUER          the issuer whose tokens are accepted
    AUDIENCE        what those tokens say that they are for
    RESOURCE        the URL of this API as its clients know it; with it, the API publishes its metadata
    DOCS_CLIENT_ID  the client as which /docs logs in

and, where there is a second provider:

    PARTNERS_ISSUER          its issuer
    PARTNERS_DOCS_CLIENT_ID  the client as which /docs logs in there

To try it, run examples/issuer.py and do what it prints.
"""

from __future__ import annotations

import os
from typing import Annotated

from fastapi import APIRouter, FastAPI, HTTPException, WebSocket
from pydantic import BaseModel

from bearerguard import AccessToken, Provider, ResourceServer, fresh, role, scope
from bearerguard.fastapi import Guard

AUDIENCE = os.environ["AUDIENCE"]
providers = [Provider(os.environ["ISSUER"], audience=AUDIENCE, name="staff")]
docs_clients = {"staff": os.environ.get("DOCS_CLIENT_ID")}
if "PARTNERS_ISSUER" in os.environ:
    providers.append(Provider(os.environ["PARTNERS_ISSUER"], audience=AUDIENCE, name="partners"))
    docs_clients["partners"] = os.environ.get("PARTNERS_DOCS_CLIENT_ID")
guard = Guard(ResourceServer(*providers), resource=os.environ.get("RESOURCE"), realm="orders")

app = FastAPI(title="Orders")
guard.install(app, docs_clients={name: client for name, client in docs_clients.items() if client})

# Names for what routes ask of a request, so that each is written once.
Anybody = Annotated[AccessToken | None, guard.optional()]
Reader = Annotated[AccessToken, guard.requires(scope("orders:read"))]
Writer = Annotated[AccessToken, guard.requires(scope("orders:write"))]


class NewOrder(BaseModel):
    """Something that somebody wants to have."""

    article: str


class Order(NewOrder):
    """The same, once it is known by whom."""

    by: str | None


orders: dict[int, Order] = {1: Order(article="a lamp", by="ada"), 2: Order(article="a chair", by="ben")}


@app.get("/health")
async def health() -> str:
    """Say that it runs, to anybody."""
    return "ok"


@app.get("/greeting")
async def greeting(token: Anybody) -> str:
    """Greet whoever it is, with a name where there is one."""
    return "Hello." if token is None else f"Hello, {token.subject}."


router = APIRouter(prefix="/orders", tags=["orders"])


@router.get("")
async def list_orders(token: Reader) -> dict[int, Order]:
    """List the orders: all of them for an admin, one's own for everybody else."""
    everything = "admin" in token.roles
    return {number: order for number, order in orders.items() if everything or order.by == token.subject}


@router.post("", status_code=201)
async def place_order(order: NewOrder, token: Writer) -> int:
    """Order something; it is oneself who does."""
    number = max(orders, default=0) + 1
    orders[number] = Order(article=order.article, by=token.subject)
    return number


@router.delete(
    "/{number}",
    status_code=204,
    dependencies=[guard.requires(scope("orders:write") & role("admin") & fresh(max_age=300))],
)
async def cancel_order(number: int) -> None:
    """Cancel an order: for admins, who logged in at most five minutes ago."""
    if orders.pop(number, None) is None:
        raise HTTPException(404, "There is no such order.")


@router.websocket("/watch")
async def watch_orders(websocket: WebSocket, token: Reader) -> None:
    """Tell how many orders there are, whenever it is asked. For programs: a browser cannot send a header."""
    await websocket.accept()
    async for _ in websocket.iter_text():
        await websocket.send_json({"orders": len(orders), "to": token.subject})


app.include_router(router)
