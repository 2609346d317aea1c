"""The orders again, by many processes that act as one: a token that one takes back is refused by all.

They share what was revoked, which DPoP proofs were used, and one key set, through a Redis or a Valkey.
Settings come from the environment:

    ISSUER    the issuer whose tokens are accepted
    AUDIENCE  what those tokens say that they are for
    RESOURCE  the URL of this API as its clients know it: proofs are for addresses below it
    STORE     the address of the Redis or Valkey, such as rediss://orders:password@cache.internal:6379/0
    SECRET    32 bytes or more, the same for all processes: what the store holds is sealed with it
"""

from __future__ import annotations

import os
from typing import Annotated

from fastapi import FastAPI, Response

from bearerguard import AccessToken, BackChannelLogout, DPoP, Provider, ResourceServer, Revocation, scope
from bearerguard.fastapi import Guard
from bearerguard.stores.redis import RedisStore

RESOURCE, SECRET = os.environ["RESOURCE"], os.environ["SECRET"]
server = ResourceServer(
    Provider(os.environ["ISSUER"], audience=os.environ["AUDIENCE"]),
    resource=RESOURCE,
    dpop=DPoP(nonce=SECRET),
    revocation=Revocation(),
    store=RedisStore(os.environ["STORE"], secret=SECRET),
)
guard = Guard(server, resource=RESOURCE, endpoints=[BackChannelLogout("/logout", client_id="orders-web")])

app = FastAPI(title="Orders")
guard.readiness("/ready")
guard.install(app)

Reader = Annotated[AccessToken, guard.requires(scope("orders:read"))]


@app.get("/orders")
async def list_orders(token: Reader) -> list[str]:
    """List the orders of whoever asks."""
    return [f"a lamp for {token.subject}"]


@app.post("/sign-out", status_code=204)
async def sign_out(token: Reader) -> Response:
    """Take back the token that asks for it, at every process."""
    await server.arevoke(token)
    return Response(status_code=204)


@app.get("/processes")
async def processes() -> int:
    """Say which process this is, to see that there are several."""
    return os.getpid()
