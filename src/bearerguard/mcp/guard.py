"""The `Guard` for MCP servers: in front of the HTTP application, and around tools, prompts and resources."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser

from bearerguard._asgi import (
    App,
    ASGIGuard,
    ASGIRequest,
    Receive,
    Scope,
    Send,
    protected,
    respond,
    route_path,
)
from bearerguard.answer import Answer
from bearerguard.errors import AuthError
from bearerguard.guard import Demand, exact_paths
from bearerguard.mcp.function import behind
from bearerguard.mcp.operation import UnreadableBody, may_name_one, operation_in, read
from bearerguard.mcp.served import RULE, Served, give, looking, served_by
from bearerguard.mcp.verifier import in_the_sdks_form, token_of_request
from bearerguard.rules import Rule
from bearerguard.token import AccessToken

__all__ = ["Guard"]

F = TypeVar("F", bound=Callable[..., Any])

_PARSE_ERROR = b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "Parse error"}}'
_UNREADABLE = Answer(
    400,
    [("Content-Type", "application/json"), ("Content-Length", str(len(_PARSE_ERROR)))],
    _PARSE_ERROR,
)


class Guard(ASGIGuard):
    """Protects an MCP server over HTTP, and its tools, prompts and resources by rules of their own.

    Examples:
        ```python
        guard = Guard(server, resource="https://api.example/mcp")
        mcp = MCPServer("Notes")


        @mcp.tool()
        @guard.requires(scope("notes:purge"))
        def purge() -> str: ...


        app = guard.protect(mcp.streamable_http_app(), scope("notes:read"))
        ```
    """

    def protect(
        self, app: App, rule: Rule | None = None, public_paths: Iterable[str] = (), *, mcp: Any = None
    ) -> App:
        """Return the HTTP application of an MCP server behind the rule, and its functions behind theirs.

        A client that may not call a tool, get a prompt or read a resource gets a 403 with the scopes that
        this takes, before anything else is sent. `get_access_token()` works in what is called. The guard's
        endpoints are served without a token.

        Args:
            app: `mcp.streamable_http_app()`, `mcp.sse_app()`, FastMCP's `mcp.http_app()`, or an application
                of Starlette in which these are mounted.
            rule: what every token must fulfil; any valid token by default.
            public_paths: exact paths that need no token, as routes name them: below the mount of the whole.
            mcp: the server itself, where it cannot be found behind `app`, such as in other middleware.

        Raises:
            ConfigurationError: no server is found, or a function escapes its rule, since `requires` stands
                above the server's own decorator.
        """
        return self._in_front_of(app, self.demand(rule), exact_paths(public_paths), mcp)

    def optional(self, *, mcp: Any = None) -> Callable[[App], App]:
        """Return a decorator for applications that serve requests without a token too; a bad one is refused.

        Functions behind a rule of their own refuse a request without a token, with a 401.
        """
        return lambda app: self._in_front_of(app, self.demand(optional=True), frozenset(), mcp)

    def requires(
        self, rule: Rule | None = None, *, dangerously_open_without_http: bool = False
    ) -> Callable[[F], F]:
        """Return a decorator for the functions of tools, prompts and resources, sync or async.

        It stands below the server's own decorator. Over stdio and in memory nobody is known, so there such a
        function refuses.

        Args:
            rule: what the token must fulfil; any valid token by default.
            dangerously_open_without_http: enter the function over stdio and in memory, for everybody.
        """
        demand = self.demand(rule)

        def decorate(function: F) -> F:
            guarded = behind(
                function, lambda: self._admitted(demand), is_open_without_http=dangerously_open_without_http
            )
            give(demand.rule, function, guarded)
            return guarded

        return decorate

    def auth_check(self, rule: Rule | None = None) -> Callable[[Any], Awaitable[bool]]:
        """Return a rule as FastMCP's `auth`: `@mcp.tool(auth=guard.auth_check(scope("notes:purge")))`.

        FastMCP hides what a client may not use, and checks nothing over stdio. Behind `protect`, a call is
        answered with a 403 all the same.
        """
        demand = self.demand(rule)

        async def check(context: Any) -> bool:
            if looking.get():
                return True
            token = self.token_or_none()
            if token is None and context.token is not None:  # who authenticates is not this guard
                token = await self.server.averify(context.token.token)
            return token is not None and demand.allows(token)

        setattr(check, RULE, demand.rule)
        return check

    def token(self) -> AccessToken:
        """Return the verified token of the message that is being handled.

        Raises:
            LookupError: there is none: over stdio and in memory, or without `protect`.
        """
        token = self.token_or_none()
        if token is None:
            raise LookupError("This message has no verified token: did it come through guard.protect(...)?")
        return token

    def token_or_none(self) -> AccessToken | None:
        """Return the verified token of the message that is being handled, or None."""
        token = token_of_request()
        # One that another guard's server verified was meant for another API.
        return token if token is not None and self.server.trusts(token.provider) else None

    # -- inside --------------------------------------------------------------------------------------

    def _admitted(self, demand: Demand) -> AccessToken | None:
        token = self.token_or_none()
        return None if token is None else self.allow(demand.rule, token)

    # -- in front ------------------------------------------------------------------------------------

    def _in_front_of(self, app: App, demand: Demand, public: frozenset[str], mcp: Any) -> App:
        served = served_by(app, mcp).check()

        async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or "bearerguard.token" not in scope:  # a public path
                await app(scope, receive, send)
                return
            token: AccessToken | None = scope["bearerguard.token"]
            user = None if token is None else AuthenticatedUser(in_the_sdks_form(token, self.resource))
            before = auth_context_var.set(user)
            try:
                if user is not None:
                    scope["user"] = user  # to whom the SDK's sessions belong
                if may_name_one(scope):
                    receive = await self._decide(scope, receive, demand, served)
            except UnreadableBody:
                await respond(send, _UNREADABLE)
            except AuthError as error:
                await respond(send, self.answer(error))
            else:
                await app(scope, receive, send)
            finally:
                auth_context_var.reset(before)

        return protected(self, admitted, demand, public, route_path)

    async def _decide(self, scope: Scope, receive: Receive, demand: Demand, served: Served) -> Receive:
        """Ask what a message is for, and the rule of that; return what the application receives.

        Raises:
            AuthError: the refusal.
            UnreadableBody: the message is not JSON.
        """
        body, again = await read(receive, served.limit)
        operation = None if body is None else operation_in(body)
        rule = None if operation is None else await served.rule_of(operation)
        if rule is not None:
            token = scope["bearerguard.token"]
            if token is None:
                await self.aadmit(ASGIRequest(scope), Demand(rule))
            else:
                self.allow(demand.rule & rule, token)
        return again
