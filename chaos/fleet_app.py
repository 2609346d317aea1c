"""The protected API of a fleet in a chaos run, under uvicorn (`app`) and gunicorn (`application`)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from redis.sentinel import Sentinel

from bearerguard import DPoP, Provider, ResourceServer, Revocation
from bearerguard.asgi import Guard
from bearerguard.stores.redis import RedisStore
from bearerguard.wsgi import Guard as WSGIGuard
from chaos.fleet import AUDIENCE, RESOURCE, SECRET


def _store() -> RedisStore:
    place = os.environ["CHAOS_STORE"]
    if place.startswith("redis://"):
        return RedisStore(place, secret=SECRET)
    sentinel = Sentinel([("127.0.0.1", int(place))], socket_timeout=0.2)
    return RedisStore(client=sentinel.master_for("fleet", socket_timeout=0.2), secret=SECRET)


server = ResourceServer(
    Provider(os.environ["CHAOS_ISSUER"], audience=AUDIENCE),
    resource=RESOURCE,
    dpop=DPoP(),
    revocation=Revocation(),
    store=_store(),
)


async def _served(scope: dict[str, Any], receive: Any, send: Any) -> None:
    del receive
    if scope["path"] == "/revoke":
        await server.arevoke(scope["bearerguard.token"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def _answered(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/revoke":
        server.revoke(environ["bearerguard.token"])
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


app = Guard(server).protect(_served)
application = WSGIGuard(server).protect(_answered)
