"""The door for plain WSGI (PEP 3333): any framework or none.

Reads the header fields from the environ, writes an answer through `start_response`. It decides nothing about
tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any

from bearerguard.answer import Answer
from bearerguard.errors import AuthError
from bearerguard.guard import BaseGuard
from bearerguard.logging import current
from bearerguard.rules import Rule

Environ = MutableMapping[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]


class Guard(BaseGuard):
    """Protects WSGI applications as a whole.

    Example:
        >>> guard = Guard(server)  # doctest: +SKIP
        >>> app = guard.protect(app, scope("orders:read"), public_paths={"/health"})  # doctest: +SKIP
    """

    def protect(self, app: App, rule: Rule | None = None, public_paths: Iterable[str] = ()) -> App:
        """Return `app` behind the rule; it finds the `AccessToken` in its environ as `bearerguard.token`.

        Args:
            app: what to protect.
            rule: what tokens must fulfil; any sound token by default.
            public_paths: exact full paths that need no token.
        """
        rule = self.remember(rule)
        public = frozenset((public_paths,) if isinstance(public_paths, str) else public_paths)

        def protected(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            if full_path(environ) in public:
                return app(environ, start_response)
            try:
                token = self.check(headers_of(environ), rule)
            except AuthError as error:
                return respond(environ, start_response, self.answer(error))
            environ["bearerguard.token"] = token
            before = current.set(token)
            try:
                return app(environ, start_response)
            finally:
                current.reset(before)

        return protected

    def requires(self, rule: Rule | None = None) -> Callable[[App], App]:
        """Return a decorator for WSGI applications that have one rule for everything."""
        return lambda app: self.protect(app, rule)

    def install(self, app: App) -> App:
        """Return `app` with the resource's metadata (RFC 9728) served beside it, where it has a `resource`.

        The metadata is public: install outside of `protect`.
        """
        served = frozenset(self.metadata_paths)

        def installed(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            if environ["REQUEST_METHOD"] in ("GET", "HEAD") and full_path(environ) in served:
                return respond(environ, start_response, self.metadata_answer())
            return app(environ, start_response)

        return installed


def full_path(environ: Environ) -> str:
    """Return the path of a request, mount included."""
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    # WSGI hands text over as Latin-1 (PEP 3333, "Unicode Issues").
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def headers_of(environ: Environ) -> list[tuple[bytes, bytes]]:
    """Return the header fields that authentication reads, as ASGI has them.

    A server joins repeated fields with commas (RFC 9110, section 5.3), which no single token contains.
    """
    value = environ.get("HTTP_AUTHORIZATION")
    return [] if value is None else [(b"authorization", value.encode("latin-1", "replace"))]


def respond(environ: Environ, start_response: StartResponse, answer: Answer) -> Iterable[bytes]:
    """Send an HTTP response."""
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.headers)
    return [b""] if environ.get("REQUEST_METHOD") == "HEAD" else [answer.body]
