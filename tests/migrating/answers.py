"""Runs one program of a page of `docs/migrating`, and prints what it answers to requests; not a test.

Started by `test_programs.py` in the environment that the program needs, so it imports nothing of this
repository. The programs name their provider as in life, by https addresses. Here these lead to an issuer on
loopback: only the scheme and the host are exchanged, on the wire of each HTTP client that a program may use.
"""

from __future__ import annotations

import json
import logging
import runpy
import sys
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

ASKED = json.load(sys.stdin)
ISSUER = urlsplit(ASKED["issuer"])


def open_on_loopback(_: urllib.request.HTTPSHandler, request: urllib.request.Request) -> Any:
    """As `urllib.request` opens an https address, by which PyJWT fetches keys."""
    return get(urlsplit(request.full_url).path)


def get(path: str) -> Any:
    """Ask the issuer on loopback."""
    return urllib.request.urlopen(ASKED["issuer"] + path, timeout=5)  # noqa: S310 - the test's own http address


def lead_to_loopback(module: Any) -> None:
    """Exchange the address of each request that a client of httpx or httpx2 sends."""
    for name, method in (("HTTPTransport", "handle_request"), ("AsyncHTTPTransport", "handle_async_request")):
        transport = getattr(module, name)
        setattr(transport, method, on_loopback(getattr(transport, method)))


def on_loopback(send: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def sent(transport: Any, request: Any) -> Any:
        request.url = request.url.copy_with(scheme="http", host=ISSUER.hostname, port=ISSUER.port)
        return send(transport, request)

    return sent


def client_of(app: Any) -> Any:
    """A test client of a Flask or a FastAPI application, which answers 500 where the program raises."""
    if hasattr(app, "test_client"):
        return app.test_client()
    from fastapi.testclient import TestClient

    return TestClient(app, raise_server_exceptions=False)


def main() -> None:
    import httpx
    import httpx2

    logging.disable()
    setattr(urllib.request.HTTPSHandler, "https_open", open_on_loopback)  # noqa: B010 - mypy takes no assignment
    client = client_of(runpy.run_path(ASKED["program"])["app"])  # its transport is not that of the network
    for module in (httpx, httpx2):
        lead_to_loopback(module)
    answers = []
    for request in ASKED["requests"]:
        if request["after"]:
            get(request["after"]).close()
        answer = client.get("/orders", headers=request["headers"])
        fields = {name.lower(): value for name, value in answer.headers.items()}
        answers.append({"status": answer.status_code, "fields": fields})
    json.dump(answers, sys.stdout)


main()
