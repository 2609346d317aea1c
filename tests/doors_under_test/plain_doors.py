"""The doors without a framework: plain ASGI and plain WSGI."""

from __future__ import annotations

import json
from typing import Any

from bearerguard import asgi, wsgi
from tests.doors_under_test.door import Api, Door
from tests.doors_under_test.exchange import ask_asgi, ask_wsgi

JSON_FIELD = ("Content-Type", "application/json")


def protected(app: Any, guard: Any, api: Api) -> Any:
    """The application with a guard around it, and the metadata around both."""
    if api.optional:
        return guard.install(guard.optional()(app))
    return guard.install(guard.protect(app, api.rule, {"/health"}))


class PlainASGI(Door):
    name = "asgi"
    guard = asgi.Guard
    ask = staticmethod(ask_asgi)
    has_websockets = True
    is_whole = True

    def app(self, guard: asgi.Guard, api: Api) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await api.enter_async(scope["path"])
            content = json.dumps(api.content(scope.get("bearerguard.token"))).encode()
            if scope["type"] == "websocket":
                await send({"type": "websocket.accept"})
                await send({"type": "websocket.send", "text": content.decode()})
                return
            fields = [(name.lower().encode(), value.encode()) for name, value in [JSON_FIELD]]
            await send({"type": "http.response.start", "status": 200, "headers": fields})
            await send({"type": "http.response.body", "body": content})

        return protected(app, guard, api)


class PlainWSGI(Door):
    name = "wsgi"
    guard = wsgi.Guard
    ask = staticmethod(ask_wsgi)
    joins_fields = True
    is_whole = True

    def app(self, guard: wsgi.Guard, api: Api) -> Any:
        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [JSON_FIELD])
            return [content_for(environ, api)]

        return protected(app, guard, api)


class WSGIGenerator(PlainWSGI):
    name = "wsgi generator"

    def app(self, guard: wsgi.Guard, api: Api) -> Any:
        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [JSON_FIELD])
            yield b""
            yield content_for(environ, api)

        return protected(app, guard, api)


def content_for(environ: Any, api: Api) -> bytes:
    api.enter(environ["SCRIPT_NAME"] + environ["PATH_INFO"])
    content = json.dumps(api.content(environ.get("bearerguard.token")))
    return b"" if environ["REQUEST_METHOD"] == "HEAD" else content.encode()
