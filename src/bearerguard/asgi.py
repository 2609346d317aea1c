"""The door for plain ASGI: any framework or none, HTTP and WebSocket.

Reads the header fields from the scope, writes an answer as messages. It decides nothing about tokens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from bearerguard.answer import Answer
from bearerguard.errors import AuthError
from bearerguard.guard import BaseGuard
from bearerguard.logging import current
from bearerguard.rules import Rule

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY_VIOLATION = 1008
"""The close code of a WebSocket that is refused (RFC 6455, section 7.4.1)."""


class Guard(BaseGuard):
    """Protects ASGI applications as a whole.

    Example:
        >>> guard = Guard(server)  # doctest: +SKIP
        >>> app = guard.protect(app, scope("orders:read"), public_paths={"/health"})  # doctest: +SKIP
    """

    def protect(self, app: App, rule: Rule | None = None, public_paths: Iterable[str] = ()) -> App:
        """Return `app` behind the rule; it finds the `AccessToken` in its scope as `bearerguard.token`.

        Args:
            app: what to protect.
            rule: what tokens must fulfil; any sound token by default.
            public_paths: exact full paths that need no token.
        """
        rule, public = self.remember(rule), paths(public_paths)

        async def protected(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] not in ("http", "websocket") or is_public(scope, public):
                await app(scope, receive, send)
                return
            try:
                token = await self.acheck(scope["headers"], rule)
            except AuthError as error:
                await refuse(scope, send, self.answer(error), error.description)
                return
            scope["bearerguard.token"] = token
            before = current.set(token)
            try:
                await app(scope, receive, send)
            finally:
                current.reset(before)

        return protected

    def requires(self, rule: Rule | None = None) -> Callable[[App], App]:
        """Return a decorator for ASGI applications that have one rule for everything."""
        return lambda app: self.protect(app, rule)

    def install(self, app: App) -> App:
        """Return `app` with the resource's metadata (RFC 9728) served beside it, where it has a `resource`.

        The metadata is public: install outside of `protect`.
        """
        served = frozenset(self.metadata_paths)

        async def installed(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"] in served:
                await respond(send, self.metadata_answer())
                return
            await app(scope, receive, send)

        return installed


def paths(public_paths: Iterable[str] | None) -> frozenset[str]:
    """Return public paths as a set; one string is one path."""
    return frozenset((public_paths,) if isinstance(public_paths, str) else public_paths or ())


def is_public(scope: Scope, public_paths: frozenset[str]) -> bool:
    """Whether the exact full path is public, and written in a way that no router can read otherwise."""
    if scope["path"] not in public_paths:
        return False
    raw: bytes = scope.get("raw_path") or b""
    lower = raw.lower()
    return b"%2f" not in lower and b"%5c" not in lower and b"%2e" not in lower


async def respond(send: Send, answer: Answer) -> None:
    """Send an HTTP response."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def refuse(scope: Scope, send: Send, answer: Answer, reason: str) -> None:
    """Refuse a request with an answer; close a WebSocket, for a reason, before it is accepted."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason})
    else:
        await respond(send, answer)
