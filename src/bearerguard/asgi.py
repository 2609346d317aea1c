"""The door for plain ASGI: any framework or none, HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bearerguard._asgi import (
    App,
    ASGIGuard,
    ASGIRequest,
    Receive,
    Scope,
    Send,
    as_function,
    below,
    protected,
    route_path,
    with_endpoints,
)
from bearerguard.errors import ConfigurationError
from bearerguard.guard import exact_paths
from bearerguard.rules import Rule

__all__ = ["ASGIRequest", "App", "Guard", "Receive", "Scope", "Send"]


class Guard(ASGIGuard):
    """Protects ASGI applications as a whole.

    Examples:
        ```python
        guard = Guard(server)
        app = guard.protect(app, scope("orders:read"), public_paths={"/health"})
        ```
    """

    @as_function
    def protect(
        self,
        app: App,
        rule: Rule | None = None,
        public_paths: Iterable[str] = (),
        *,
        root_path: str = "",
    ) -> App:
        """Return `app` behind the rule; it finds the `AccessToken` in its scope as `bearerguard.token`.

        The guard's endpoints are served without a token, as `install` does.

        Args:
            app: what to protect.
            rule: what tokens must fulfil; any valid token by default.
            public_paths: exact paths that need no token, as the application routes them: below `root_path`.
            root_path: the mount at which the server has the application, if it has one. It is never taken
                from a request: below another one, no path is public.
        """
        if not isinstance(root_path, str) or (root_path and not root_path.startswith("/")):
            raise ConfigurationError(f"root_path is {root_path!r:.80}: write a path such as '/api'.")
        mount = root_path.rstrip("/")

        def path_of(scope: Scope) -> str:
            path = below(scope["path"], mount)
            # Below any other mount, which a client may have chosen, one application routes by the whole path
            # and another by what is left of it: public is only what is so for both.
            known = scope.get("root_path", "") in ("", mount)
            return path if known or route_path(scope) == path else ""

        return protected(self, app, self.demand(rule), exact_paths(public_paths), path_of)

    def requires(self, rule: Rule | None = None) -> Callable[[App], App]:
        """Return a decorator for ASGI applications that have one rule for everything."""
        return lambda app: self.protect(app, rule)

    def optional(self) -> Callable[[App], App]:
        """Return a decorator for ASGI applications that serve requests without a token too.

        Without one, `bearerguard.token` in the scope is None; a bad token is refused.
        """
        demand = self.demand(optional=True)
        return lambda app: protected(self, app, demand, frozenset(), lambda _: "")

    def install(self, app: App) -> App:
        """Return `app` with the guard's endpoints beside it: the resource's metadata, where it has one."""
        return with_endpoints(self.endpoints, self.websockets(app))
