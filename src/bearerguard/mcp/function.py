"""A function of an MCP server behind a check, with the signature that the SDK and FastMCP read.

What is checked, the guard says. A refusal is an error of JSON-RPC here: `protect` has the chance of a 403.
"""

from __future__ import annotations

import functools
import inspect
import operator
import sys
import typing
from collections.abc import Callable
from typing import Any, TypeVar, cast

from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError

from bearerguard.context import Serving
from bearerguard.errors import AuthError, ConfigurationError
from bearerguard.provider._warning import warn_caller
from bearerguard.token import AccessToken

__all__: list[str] = []

F = TypeVar("F", bound=Callable[..., Any])

REFUSED = -32003
"""The code of a refusal, of those that JSON-RPC and MCP leave to implementations (-32000 to -32019)."""
_ADDED = "bearerguard_context"
"""The parameter that a function is given where it has none for a context."""


def behind(function: F, admitted: Callable[[], AccessToken | None], *, is_open_without_http: bool) -> F:
    """Return a function that is entered only with a token.

    Args:
        function: of a tool, a prompt or a resource.
        admitted: returns the token of the message that is being handled, None where nobody is known; raises
            an `AuthError` where the token will not do.
        is_open_without_http: whether it is entered without a token, where the message came without HTTP.
    """
    if not (
        inspect.isfunction(function) or inspect.ismethod(function) or isinstance(function, functools.partial)
    ):
        raise ConfigurationError(
            f"{function!r:.80} is not the function of a tool, a prompt or a resource: decorate one, below "
            "@mcp.tool(), and put the application behind a rule with protect(app, rule)."
        )
    told = _Told(function) if is_open_without_http else None

    def enter(arguments: dict[str, Any]) -> Serving:
        try:
            token = admitted()
        except AuthError as error:
            data = {"error": error.code or error.reason}
            raise MCPError(REFUSED, error.description, data | dict(error.parameters())) from error
        if token is None and not (told is not None and told.is_without_http(arguments)):
            raise MCPError(REFUSED, "Nobody is known here: call this over HTTP, with an access token.")
        if told is not None:
            told.take_back(arguments)
        return Serving(token)

    @functools.wraps(function)
    async def task(*args: Any, **kwargs: Any) -> Any:
        with enter(kwargs):
            return await function(*args, **kwargs)

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        with enter(kwargs):
            return function(*args, **kwargs)

    guarded: Any = task if inspect.iscoroutinefunction(function) else called
    if told is not None:
        told.ask(guarded)
        warn_caller(
            f"{function!r:.80} is open to everybody over stdio and in memory. Leave "
            "dangerously_open_without_http out to refuse there"
        )
    return cast("F", guarded)


class _Told:
    """Tells whether a function is called over HTTP: by the context that the server passes it.

    A function without a parameter for one is given one more, which it does not see.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._signature = inspect.signature(function, eval_str=True)
        self._kinds = _contexts()
        hints = typing.get_type_hints(function)
        own = (name for name, hint in hints.items() if any(_names(hint, kind) for kind in self._kinds))
        self._name = next(own, _ADDED)

    def ask(self, guarded: Any) -> None:
        """Have the server pass a context to the function, where it does not yet."""
        if self._name != _ADDED:
            return
        kind: Any = functools.reduce(operator.or_, self._kinds)
        added = inspect.Parameter(_ADDED, inspect.Parameter.KEYWORD_ONLY, annotation=kind)
        parameters = (*self._signature.parameters.values(), added)
        guarded.__signature__ = self._signature.replace(parameters=parameters)
        guarded.__annotations__ = {**guarded.__annotations__, _ADDED: kind}

    def is_without_http(self, arguments: dict[str, Any]) -> bool:
        """Whether the context says that no HTTP request stands behind the call."""
        context: Any = arguments.get(self._name)
        if not isinstance(context, self._kinds):
            return False
        try:
            behind = context.request_context
        except ValueError:
            return False
        return behind is not None and behind.request is None

    def take_back(self, arguments: dict[str, Any]) -> None:
        """Remove what the function itself does not take."""
        if self._name == _ADDED:
            arguments.pop(_ADDED, None)


def _contexts() -> tuple[Any, ...]:
    """The classes of contexts: the SDK's, and that of FastMCP in a program that uses it."""
    fastmcp = sys.modules.get("fastmcp")
    return (Context,) if fastmcp is None else (Context, fastmcp.Context)


def _names(hint: Any, kind: type) -> bool:
    """Whether a type is this one, or a union or a generic one of it."""
    if inspect.isclass(hint):
        return issubclass(hint, kind)
    return any(_names(part, kind) for part in (typing.get_origin(hint), *typing.get_args(hint)) if part)
