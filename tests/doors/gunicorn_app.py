"""A WSGI application for gunicorn, behind the guard: it says at which path it was entered, and by whom.

Its issuer comes from the environment. `/stream` is sent in two parts; each names whom a log would name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from bearerguard import Provider, ResourceServer
from bearerguard.context import verified_token
from bearerguard.wsgi import Guard

guard = Guard(ResourceServer(Provider(os.environ["ISSUER"], audience="https://api.test")))


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return stream()
    content = f"entered at {environ['PATH_INFO']!r} as {identity()}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(content)))])
    return [content]


def stream() -> Iterator[bytes]:
    for _ in range(2):
        yield f"{identity()}\n".encode()


def identity() -> str:
    token = verified_token()
    return "nobody" if token is None else str(token.subject)


app = guard.protect(application, public_paths={"/health", "/public/admin"})
