"""The door of MCP: tools, asked by a message in each version of the protocol, and a server's own routes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any, ClassVar

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse

from bearerguard import mcp
from tests.doors_under_test.door import METHODS, Api, Door
from tests.doors_under_test.exchange import Answer, ApplicationError, Fields, Request, over_asgi, run

HANDSHAKE, STATELESS = "2025-11-25", "2026-07-28"
ANY_HOST = TransportSecuritySettings(enable_dns_rebinding_protection=False)


def call(tool: str, version: str = HANDSHAKE, **arguments: Any) -> dict[str, Any]:
    """The message that calls a tool."""
    about_client = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    meta = {"_meta": about_client} if version == STATELESS else {}
    params = {"name": tool, "arguments": arguments, **meta}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def fields_of(message: dict[str, Any], version: str) -> Fields:
    """The fields that a client sends with a message."""
    routing = [
        (b"Mcp-Method", message["method"].encode()),
        (b"Mcp-Name", message["params"]["name"].encode()),
    ]
    return [
        (b"Content-Type", b"application/json"),
        (b"Accept", b"application/json, text/event-stream"),
        (b"Mcp-Protocol-Version", version.encode()),
        *(routing if version == STATELESS else []),
    ]


def ask_mcp(app: Any, *requests: Request) -> list[Answer]:
    """Send requests to an MCP server that starts for them."""
    build, version = app

    async def all_at_once() -> list[Answer]:
        starlette, guarded = build()
        async with starlette.router.lifespan_context(starlette):
            sent = (over_asgi(guarded, as_message(request, version), waits=True) for request in requests)
            answers: list[Answer] = await asyncio.gather(*sent)
            return [unpacked(answer) for answer in answers]

    answers: list[Answer] = run(all_at_once)
    return answers


def as_message(request: Request, version: str | None) -> Request:
    """Call the tool where a test asks for the only route that other doors have."""
    if version is None or request.path != "/":
        return request
    message = call("home", version)
    names = {name.lower() for name, _ in request.fields}
    added = [field for field in fields_of(message, version) if field[0].lower() not in names]
    body = request.body or json.dumps(message).encode()
    fields = [*request.fields, *added]
    return replace(request, method="POST", path="/mcp", fields=fields, body=body)


def unpacked(answer: Answer) -> Answer:
    """What a tool returned, in place of the message that it came in; 500 for an error of its own."""
    if b'"jsonrpc"' not in answer.body or answer.status != 200:
        return answer
    _, _, text = answer.body.rpartition(b"data: ")
    result = json.loads(text)["result"]
    assert not result["isError"] or "Error executing tool home" in result["content"][0]["text"]
    return replace(
        answer, status=500 if result["isError"] else 200, body=result["content"][0]["text"].encode()
    )


class MCPDoor(Door):
    guard = mcp.Guard
    ask = staticmethod(ask_mcp)
    is_whole = True
    version: ClassVar[str | None] = None

    def sent(self, method: str, path: str) -> tuple[str, str]:
        return (method, path) if self.version is None or path != "/" else ("POST", "/mcp")

    def app(self, guard: mcp.Guard, api: Api) -> Any:
        server = MCPServer("API", log_level="CRITICAL")
        self.add_to(server, guard, api)

        @server.custom_route("/health", METHODS)  # type: ignore[untyped-decorator]  # the SDK does not annotate what it returns
        async def health(request: StarletteRequest) -> JSONResponse:
            await api.enter_async("/health")
            return JSONResponse(api.content(None))

        def build() -> Any:
            starlette = server.streamable_http_app(stateless_http=True, transport_security=ANY_HOST)
            return starlette, self.protected(guard, api, starlette)

        build()
        return build, self.version

    def add_to(self, server: MCPServer[Any], guard: mcp.Guard, api: Api) -> None:
        raise NotImplementedError

    def protected(self, guard: mcp.Guard, api: Api, app: Any) -> Any:
        return guard.optional()(app) if api.optional else guard.protect(app, api.rule, {"/health"})


class Route(MCPDoor):
    name = "mcp route"

    def add_to(self, server: MCPServer[Any], guard: mcp.Guard, api: Api) -> None:
        @server.custom_route("/", METHODS)  # type: ignore[untyped-decorator]  # the SDK does not annotate what it returns
        async def home(request: StarletteRequest) -> JSONResponse:
            await api.enter_async("/")
            return JSONResponse(api.content(request.scope["bearerguard.token"]))


class Tool(MCPDoor):
    name = "mcp tool"
    version = HANDSHAKE

    def add_to(self, server: MCPServer[Any], guard: mcp.Guard, api: Api) -> None:
        @server.tool()
        async def home() -> str:
            return await content(guard, api)


class ToolOfItsOwnRule(MCPDoor):
    name = "mcp tool with a rule of its own"
    version = STATELESS
    has_optional = False

    def add_to(self, server: MCPServer[Any], guard: mcp.Guard, api: Api) -> None:
        @server.tool(name="home")
        @guard.requires(api.rule)
        async def under_another_name() -> str:
            return await content(guard, api)

    def protected(self, guard: mcp.Guard, api: Api, app: Any) -> Any:
        return guard.protect(app, None, {"/health"})


async def content(guard: mcp.Guard, api: Api) -> str:
    await api.enter_async("/")
    try:
        return json.dumps(api.content(guard.token_or_none()))
    except ApplicationError as error:  # as of every tool that fails
        raise RuntimeError from error
