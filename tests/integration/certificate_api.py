"""One API behind the guards of ASGI and of WSGI, for tokens that are bound to client certificates.

`ISSUER` in the environment is whom it trusts. `/nginx`, `/haproxy` and `/caddy` take certificates from that
proxy on loopback, `/unix` takes them from nginx on a Unix socket, and `/tls` from TLS itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from bearerguard import ClientCertificate, Provider, ResourceServer, asgi, wsgi

SOURCES = {
    "/nginx": ClientCertificate.from_proxy("nginx", peers="127.0.0.1"),
    "/haproxy": ClientCertificate.from_proxy("haproxy", peers="127.0.0.1"),
    "/caddy": ClientCertificate.from_proxy("caddy", peers="127.0.0.1"),
    "/unix": ClientCertificate.from_proxy("nginx", peers="unix"),
    "/tls": ClientCertificate.from_tls(),
}
SERVERS = {
    path: ResourceServer(Provider(os.environ["ISSUER"], audience="https://api.test"), certificate=source)
    for path, source in SOURCES.items()
}


async def serve(scope: Any, receive: Any, send: Any) -> None:
    content = scope["bearerguard.token"].client_id.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": content})


def serve_wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    content = environ["bearerguard.token"].client_id.encode()
    start_response("200 OK", [("Content-Length", str(len(content)))])
    return [content]


ASGI_APPS = {path: asgi.Guard(server).protect(serve) for path, server in SERVERS.items()}
WSGI_APPS = {path: wsgi.Guard(server).protect(serve_wsgi) for path, server in SERVERS.items()}


async def app(scope: Any, receive: Any, send: Any) -> None:
    await ASGI_APPS[scope["path"]](scope, receive, send)


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return WSGI_APPS[environ["PATH_INFO"]](environ, start_response)
