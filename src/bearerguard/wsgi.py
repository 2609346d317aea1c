"""The door for plain WSGI (PEP 3333): any framework or none.

Reads the header fields from the environ, writes an answer through `start_response`. It decides nothing about
tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

from bearerguard.answer import Answer
from bearerguard.errors import AuthError
from bearerguard.guard import METADATA_METHODS, BaseGuard, paths
from bearerguard.logging import current
from bearerguard.rules import Rule
from bearerguard.token import AccessToken

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

TOKEN = "bearerguard.token"
"""Where the environ of a request has its `AccessToken`. No header field becomes a key like this."""


class Guard(BaseGuard):
    """Protects WSGI applications as a whole.

    Example:
        >>> guard = Guard(server)  # doctest: +SKIP
        >>> app = guard.protect(app, scope("orders:read"), public_paths={"/health"})  # doctest: +SKIP
    """

    def protect(self, app: App, rule: Rule | None = None, public_paths: Iterable[str] = ()) -> App:
        """Return `app` behind the rule; it finds the `AccessToken` in its environ as `bearerguard.token`.

        The resource's metadata is served without a token, as `install` does.

        Args:
            app: what to protect.
            rule: what tokens must fulfil; any sound token by default.
            public_paths: exact paths that need no token, as the application routes them (`PATH_INFO`).
        """
        return self._guarded_app(app, self.remember(rule), paths(public_paths))

    def requires(self, rule: Rule | None = None) -> Callable[[App], App]:
        """Return a decorator for WSGI applications that have one rule for everything."""
        return lambda app: self.protect(app, rule)

    def optional(self) -> Callable[[App], App]:
        """Return a decorator for WSGI applications that serve requests without a token too.

        Without one, `bearerguard.token` in the environ is None; a bad token is refused.
        """
        return lambda app: self._guarded_app(app, None, frozenset())

    def install(self, app: App) -> App:
        """Return `app` with the metadata of the resource (RFC 9728) beside it, where the guard has one."""
        served = frozenset(self.metadata_paths)

        def installed(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            method = environ["REQUEST_METHOD"]
            if method in METADATA_METHODS and path_of(environ) in served:
                return respond(environ, start_response, self.metadata_answer(method))
            return app(environ, start_response)

        return installed if served else app

    def _guarded_app(self, app: App, rule: Rule | None, public: frozenset[str]) -> App:
        def guarded(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            if path_of(environ) in public:
                return app(environ, start_response)
            headers = headers_of(environ)
            try:
                token = self.check_optional(headers) if rule is None else self.check(headers, rule)
            except AuthError as error:
                return respond(environ, start_response, self.answer(error))
            environ[TOKEN] = token
            before = current.set(token)
            try:
                body = app(environ, start_response)
            finally:
                current.reset(before)
            return body if _is_complete(body, environ) else _Body(body, token)

        return self.install(guarded)


class _Body:
    """A body that the application makes while it is sent, when the server's thread has no token any more.

    A generator runs no line of the application before the server asks for the first chunk.
    """

    def __init__(self, chunks: Iterable[bytes], token: AccessToken | None) -> None:
        self._chunks = chunks
        self._token = token
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        before = current.set(self._token)
        try:
            if self._iterator is None:
                self._iterator = iter(self._chunks)
            return next(self._iterator)
        finally:
            current.reset(before)

    def close(self) -> None:
        """Close the application's body (PEP 3333, "Specification Details")."""
        before = current.set(self._token)
        try:
            close: Callable[[], None] | None = getattr(self._chunks, "close", None)
            if close is not None:
                close()
        finally:
            current.reset(before)


def _is_complete(body: Iterable[bytes], environ: Environ) -> bool:
    """Whether no line of the application runs any more; the server may then make more of what it is."""
    file_wrapper = environ.get("wsgi.file_wrapper")  # PEP 3333, "Optional Platform-Specific File Handling"
    kinds = (list, tuple, file_wrapper) if isinstance(file_wrapper, type) else (list, tuple)
    return isinstance(body, kinds)


def path_of(environ: Environ) -> str:
    """Return the path by which the application routes a request: without the mount, `SCRIPT_NAME`.

    With it, whoever can choose the mount could make a public path of another one: behind a proxy that lets
    a header field of that name through, gunicorn believes the client where the mount ends.
    """
    path: str = environ.get("PATH_INFO", "")
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
