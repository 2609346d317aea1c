"""Which functions the MCP servers behind an application serve, under which names, and the rule of each.

The only file that knows where the SDK and FastMCP keep tools, prompts and resources. The SDK has no public
way from a name to a function, so some names here are its private ones. Whatever is not found here, nothing
opens: a rule is enforced again when its function is called, where a refusal is an error of JSON-RPC.
"""

from __future__ import annotations

import functools
import inspect
import operator
import types
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from mcp.server import MCPServer
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import DEFAULT_MAX_REQUEST_BODY_SIZE, StreamableHTTPSessionManager
from msgspec import Struct
from starlette.routing import Mount, Router

from bearerguard.errors import ConfigurationError
from bearerguard.mcp.operation import Operation
from bearerguard.rules import Rule

__all__: list[str] = []

RULE = "__bearerguard_rule__"
"""The attribute of a function, or of FastMCP's `auth`, with its rule. `functools.wraps` passes it on."""

_BELOW = "__bearerguard_below__"
"""The attribute of a function that stands below a rule: what has it, and no rule, escapes it."""

looking: ContextVar[bool] = ContextVar("bearerguard.mcp.looking", default=False)
"""Whether FastMCP is only asked which component has a name: it hides those whose `auth` says no."""


class Served(Struct, frozen=True):
    """The servers behind an application.

    Attributes:
        servers: each an `MCPServer`, a `FastMCP`, or the SDK's low-level `Server`, which has one function for
            all of its tools.
        limit: how many bytes of a body they read.
    """

    servers: tuple[Any, ...]
    limit: int

    async def rule_of(self, operation: Operation) -> Rule | None:
        """Return the rule of the function that an operation calls; None where it has none.

        Raises:
            ConfigurationError: the function escapes the rule that it was given.
        """
        found: list[Rule] = []
        for server in self.servers:
            if isinstance(server, MCPServer):
                found += _rules_of(_function(server, operation))
            elif hasattr(server, "get_tool"):
                component = await _component(server, operation)
                auth = getattr(component, "auth", None)
                for one in (getattr(component, "fn", None), *(auth if isinstance(auth, list) else [auth])):
                    found += _rules_of(one)
        return functools.reduce(operator.and_, found) if found else None

    def check(self) -> Served:
        """Refuse a function that a server calls without the rule that it was given.

        Of the SDK's servers all functions are looked at; of FastMCP's, each when it is asked for.
        """
        for server in self.servers:
            for component in _components(server) if isinstance(server, MCPServer) else ():
                _rules_of(getattr(component, "fn", None))
        return self


def give(rule: Rule, function: Any, guarded: Any) -> None:
    """Note on a function behind a rule which rule that is, and on the function itself that it has one."""
    setattr(getattr(function, "__func__", function), _BELOW, True)
    setattr(guarded, RULE, rule)


def _rules_of(function: Any) -> list[Rule]:
    rule: Rule | None = getattr(function, RULE, None)
    if rule is None and function is not None and hasattr(inspect.unwrap(function), _BELOW):
        raise ConfigurationError(
            f"{function.__name__} is served without its rule: write @mcp.tool() above @guard.requires(...), "
            "since the server calls what stands below its own decorator."
        )
    return [] if rule is None else [rule]


def served_by(app: Any, server: Any) -> Served:
    """Return the servers behind an application.

    Args:
        app: an application of Starlette, as the SDK and FastMCP make one.
        server: the server behind it, where it cannot be found.

    Raises:
        ConfigurationError: no server was found.
    """
    reached = list(_reached(app))
    managers = [one for one in reached if isinstance(one, StreamableHTTPSessionManager)]
    servers = [one for one in reached if one not in managers] if server is None else [server]
    if not servers:
        raise ConfigurationError(
            "No MCP server was found behind the application that protect is given: name it, as "
            "guard.protect(app, rule, mcp=server)."
        )
    limit = min((one.max_request_body_size for one in managers), default=DEFAULT_MAX_REQUEST_BODY_SIZE)
    return Served(tuple(dict.fromkeys(servers)), limit)


# -- from an application to its servers --------------------------------------------------------------------


def _reached(thing: Any, depth: int = 12) -> Iterator[Any]:
    """Every server, and every manager of sessions, that an application reaches."""
    fastmcp = getattr(getattr(thing, "state", None), "fastmcp_server", None)
    if fastmcp is not None:
        yield fastmcp
    elif isinstance(thing, MCPServer):
        yield thing
    elif isinstance(thing, Server):
        entry = thing.get_request_handler("tools/call")
        owner = None if entry is None else getattr(entry.handler, "__self__", None)
        yield owner if isinstance(owner, MCPServer) else thing
    elif depth:
        if isinstance(thing, StreamableHTTPSessionManager):
            yield thing
        for inner in _within(thing):
            yield from _reached(inner, depth - 1)


def _within(thing: Any) -> list[Any]:
    """What an application, a route or a function leads to."""
    if isinstance(thing, types.MethodType):
        return [thing.__self__]
    if isinstance(thing, types.FunctionType):  # the endpoint of `sse_app` holds its server in a closure
        cells = thing.__closure__ or ()
        return [value for value in map(_content, cells) if isinstance(value, MCPServer | types.FunctionType)]
    inner = [getattr(thing, name, None) for name in ("app", "endpoint", "router", "session_manager")]
    routes = thing.routes if isinstance(thing, Router | Mount) else None
    return [one for one in (*inner, *(routes or ())) if one is not None]


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing is in it yet
        return None


# -- from a name to a function -----------------------------------------------------------------------------


def _function(server: MCPServer[Any], operation: Operation) -> Callable[..., Any] | None:
    """Return the function of the SDK's server that an operation calls, as the server itself looks for it."""
    method, name = operation
    if method == "tools/call":
        return getattr(server._tool_manager.get_tool(name), "fn", None)  # noqa: SLF001 - see above
    if method == "prompts/get":
        return getattr(server._prompt_manager.get_prompt(name), "fn", None)  # noqa: SLF001 - see above
    resources = server._resource_manager  # noqa: SLF001 - see above
    for resource in resources.list_resources():
        if str(resource.uri) == name:
            return getattr(resource, "fn", None)
    for template in resources.list_templates():
        try:
            if template.matches(name) is not None:
                return template.fn
        except ValueError:  # the server refuses such a name
            return None
    return None


def _components(server: MCPServer[Any]) -> Iterator[Any]:
    """Every tool, prompt and resource of the SDK's server."""
    yield from server._tool_manager.list_tools()  # noqa: SLF001 - see above
    yield from server._prompt_manager.list_prompts()  # noqa: SLF001 - see above
    yield from server._resource_manager.list_resources()  # noqa: SLF001 - see above
    yield from server._resource_manager.list_templates()  # noqa: SLF001 - see above


async def _component(server: Any, operation: Operation) -> Any:
    """Return what FastMCP calls for an operation, whether or not its `auth` allows it."""
    before = looking.set(True)
    try:
        return await _looked_up(server, operation)
    except Exception:  # noqa: BLE001 - what a server raises for a name, it raises again when it serves it
        return None
    finally:
        looking.reset(before)


async def _looked_up(server: Any, operation: Operation) -> Any:
    lookups = {
        "tools/call": [server.get_tool],
        "prompts/get": [server.get_prompt],
        "resources/read": [server.get_resource, server.get_resource_template],
    }
    for look_up in lookups[operation.method]:
        component = await look_up(operation.name)
        while component is not None:
            inner = getattr(component, "_server", None)
            if inner is None:
                return component
            # Of a server within this one: there it has another name.
            template = getattr(component, "_original_uri_template", None)
            if template is None:
                name = getattr(component, "_original_name", None) or component._original_uri  # noqa: SLF001 - see above
                return await _looked_up(inner, Operation(operation.method, str(name)))
            known = await inner.list_resource_templates()
            component = next((one for one in known if one.uri_template == template), None)
    return None
