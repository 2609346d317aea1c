"""No door at all: what a `ResourceServer` says of a request, put as the answer that it describes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bearerguard import AccessToken, AuthError, ResourceServer
from bearerguard.answer import challenges
from bearerguard.testing import Issuer
from tests.doors_under_test.door import Api, Door, Opened
from tests.doors_under_test.exchange import Answer, Fields, Request, run


def ask_server(app: Callable[[Fields], Awaitable[AccessToken]], *requests: Request) -> list[Answer]:
    return [_verdict(app, request) for request in requests]


def _verdict(app: Callable[[Fields], Awaitable[AccessToken]], request: Request) -> Answer:
    try:
        run(lambda: app([(name.lower(), value) for name, value in request.fields]))
    except AuthError as error:
        fields = [(name.lower(), value) for name, value in challenges(error)]
        assert all(not {*value} & {"\0", "\r", "\n"} for _, value in fields)
        return Answer(error.status, fields, error.description.encode())
    return Answer(200)


class ServerDoor(Door):
    guard = None
    conforms = False
    ask = staticmethod(ask_server)


class Authenticate(ServerDoor):
    name = "server.authenticate"

    def app(self, server: ResourceServer, api: Api) -> Any:
        async def app(fields: Fields) -> None:
            token = server.authenticate(fields)
            await api.enter_async("/")
            api.content(token)

        return app


class AsyncAuthenticate(ServerDoor):
    name = "server.aauthenticate"

    def open_for(self, issuer: Issuer) -> Opened:
        return self.open(issuer.resource_server())  # which fetches the keys: something to wait for

    def app(self, server: ResourceServer, api: Api) -> Any:
        async def app(fields: Fields) -> None:
            token = await server.aauthenticate(fields)
            await api.enter_async("/")
            api.content(token)

        return app
