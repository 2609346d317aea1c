"""One API behind the guards of ASGI and of WSGI, which hears of logouts and shares them by a Redis.

`ISSUER` in the environment is whom it trusts, `STORE` where the Redis is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from bearerguard import BackChannelLogout, Provider, ResourceServer, Revocation, asgi, wsgi
from bearerguard.stores.redis import RedisStore

server = ResourceServer(
    Provider(os.environ["ISSUER"], audience="https://api.test"),
    # The usual deadline is short for a machine that runs six processes of this beside the tests.
    store=RedisStore(os.environ["STORE"], secret="a secret of thirty-two characters", timeout=10),
    revocation=Revocation(),
)
LOGOUT = [BackChannelLogout("/logout", client_id="orders-web")]


async def serve(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})


def serve_wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "6")])
    return [b"served"]


app = asgi.Guard(server, endpoints=LOGOUT).protect(serve)
application = wsgi.Guard(server, endpoints=LOGOUT).protect(serve_wsgi)
