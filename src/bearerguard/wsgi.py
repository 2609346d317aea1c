"""The door for plain WSGI (PEP 3333): any framework or none.

Reads the header fields from the environ, writes an answer through `start_response`. It decides nothing about
tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bearerguard._dropped import Protection
from bearerguard._wsgi import (
    TOKEN,
    Environ,
    ServedBody,
    StartResponse,
    WSGIRequest,
    path_of,
    request_to,
    respond,
)
from bearerguard.context import SERVING, Serving, current
from bearerguard.errors import AuthError
from bearerguard.guard import BaseGuard, Demand, exact_paths
from bearerguard.rules import Rule

__all__ = ["TOKEN", "App", "Environ", "Guard", "StartResponse", "WSGIRequest", "request_to"]

App = Callable[[Environ, StartResponse], Iterable[bytes]]


class Guard(BaseGuard):
    """Protects WSGI applications as a whole.

    Examples:
        ```python
        guard = Guard(server)
        app = guard.protect(app, scope("orders:read"), public_paths={"/health"})
        ```
    """

    def protect(self, app: App, rule: Rule | None = None, public_paths: Iterable[str] = ()) -> App:
        """Return `app` behind the rule; it finds the `AccessToken` in its environ as `bearerguard.token`.

        The guard's endpoints are served without a token, as `install` does.

        Args:
            app: what to protect.
            rule: what tokens must fulfil; any valid token by default.
            public_paths: exact paths that need no token, as the application routes them (`PATH_INFO`).
        """
        return self._guarded(app, self.demand(rule), exact_paths(public_paths))

    def requires(self, rule: Rule | None = None) -> Callable[[App], App]:
        """Return a decorator for WSGI applications that have one rule for everything."""
        return lambda app: self.protect(app, rule)

    def optional(self) -> Callable[[App], App]:
        """Return a decorator for WSGI applications that serve requests without a token too.

        Without one, `bearerguard.token` in the environ is None; a bad token is refused.
        """
        demand = self.demand(optional=True)
        return lambda app: self._guarded(app, demand, frozenset())

    def install(self, app: App) -> App:
        """Return `app` with the guard's endpoints beside it: the resource's metadata, where it has one."""
        served = {endpoint.path: endpoint for endpoint in self.endpoints}

        def installed(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            endpoint = served.get(path_of(environ))
            if endpoint is not None and environ["REQUEST_METHOD"] in endpoint.methods:
                return respond(environ, start_response, endpoint.answer(request_to(endpoint, environ)))
            return app(environ, start_response)

        return installed if served else app

    def _guarded(self, app: App, demand: Demand, public: frozenset[str]) -> App:
        protection = Protection()

        def guarded(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            protection.has_served = True
            served = environ[SERVING] = Serving()
            before = current.set(served)
            try:
                if path_of(environ) not in public:
                    try:
                        token = self.admit(WSGIRequest(environ), demand)
                    except AuthError as error:
                        return respond(environ, start_response, self.answer(error))
                    environ[TOKEN] = served.token = token
                body = app(environ, start_response)
            except BaseException:
                served.end()
                raise
            finally:
                current.reset(before)
            if _is_complete(body, environ):
                served.end()
                return body
            return ServedBody(body, served)

        return self.install(guarded)


def _is_complete(body: Iterable[bytes], environ: Environ) -> bool:
    """Whether no line of the application runs any more; the server may then make more of what it is."""
    file_wrapper = environ.get("wsgi.file_wrapper")  # PEP 3333, "Optional Platform-Specific File Handling"
    kinds = (list, tuple, file_wrapper) if isinstance(file_wrapper, type) else (list, tuple)
    return isinstance(body, kinds)
