"""A request of aiohttp as the checks see it, and how an answer is written. It decides nothing."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from aiohttp import web
from msgspec import Struct

from bearerguard.answer import Answer
from bearerguard.request import without_origin
from bearerguard.token import AccessToken

__all__ = ["TOKEN", "AiohttpRequest", "as_response"]

TOKEN: web.RequestKey[AccessToken | None] = web.RequestKey("bearerguard.token", object)  # type: ignore[arg-type] # a union is not a class
"""Where a request has its verified token."""
_NOTES: web.RequestKey[dict[str, Any]] = web.RequestKey("bearerguard.notes", dict)


class AiohttpRequest(Struct, gc=False):
    """A request as the checks see it (`bearerguard.request.Incoming`)."""

    request: web.BaseRequest

    @property
    def url(self) -> str | None:
        """None: only the client or a proxy says what the client wrote there."""
        return None

    @property
    def method(self) -> str | None:
        """The method."""
        return self.request.method

    @property
    def target(self) -> bytes | None:
        """Path and query as they were sent."""
        return without_origin(self.request.raw_path.encode("utf-8", "surrogateescape"))

    @property
    def mount(self) -> str:
        """Empty: aiohttp knows no mount of a server's."""
        return ""

    @property
    def notes(self) -> MutableMapping[str, Any] | None:
        """What lasts as long as the request."""
        if _NOTES not in self.request:
            self.request[_NOTES] = {}
        return self.request[_NOTES]

    @property
    def route(self) -> str | None:
        """The path of the resource, as the application has it."""
        info = getattr(self.request, "match_info", None)
        resource = None if info is None else info.route.resource
        return None if resource is None else resource.canonical

    @property
    def certificate(self) -> bytes | None:
        """The client's certificate, where aiohttp itself ends TLS and one was shown."""
        transport = self.request.transport
        tls = None if transport is None else transport.get_extra_info("ssl_object")
        certificate: bytes | None = None if tls is None else tls.getpeercert(binary_form=True)
        return certificate

    @property
    def peer(self) -> str | None:
        """The address of the other end; None on a Unix socket."""
        transport = self.request.transport
        address = None if transport is None else transport.get_extra_info("peername")
        return address[0] if isinstance(address, tuple) else None

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of every header field called `name` (in lower case), in their order."""
        return [value for field, value in self.request.raw_headers if field.lower() == name]


def as_response(answer: Answer) -> web.Response:
    """Return an answer as a response of aiohttp."""
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
