"""The door for plain ASGI: any framework or none, HTTP and WebSocket.

Reads the header fields from the scope, writes an answer as messages. It decides nothing about tokens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from bearerguard.answer import Answer
from bearerguard.errors import AuthError
from bearerguard.guard import METADATA_METHODS, BaseGuard, paths
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

        The resource's metadata is served without a token, as `install` does.

        Args:
            app: what to protect.
            rule: what tokens must fulfil; any sound token by default.
            public_paths: exact full paths that need no token.
        """
        return self._guarded_app(app, self.remember(rule), paths(public_paths))

    def requires(self, rule: Rule | None = None) -> Callable[[App], App]:
        """Return a decorator for ASGI applications that have one rule for everything."""
        return lambda app: self.protect(app, rule)

    def optional(self) -> Callable[[App], App]:
        """Return a decorator for ASGI applications that serve requests without a token too.

        Without one, `bearerguard.token` in the scope is None; a bad token is refused.
        """
        return lambda app: self._guarded_app(app, None, frozenset())

    def _guarded_app(self, app: App, rule: Rule | None, public: frozenset[str]) -> App:
        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] not in ("http", "websocket") or is_public(scope, public):
                await app(scope, receive, send)
                return
            headers = scope["headers"]
            try:
                token = await (self.acheck_optional(headers) if rule is None else self.acheck(headers, rule))
            except AuthError as error:
                await deny(scope, send, self.answer(error), error.description)
                return
            scope["bearerguard.token"] = token
            before = current.set(token)
            try:
                await app(scope, receive, send)
            finally:
                current.reset(before)

        return self._with_metadata(guarded)

    def install(self, app: App) -> App:
        """Return `app` with the metadata of the resource (RFC 9728) beside it, where the guard has one."""
        return self._with_metadata(app)

    def _with_metadata(self, app: App) -> App:
        served = frozenset(self.metadata_paths)

        async def installed(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"] in served and scope["method"] in METADATA_METHODS:
                await respond(send, self.metadata_answer(scope["method"]))
                return
            await app(scope, receive, send)

        return installed if served else app


def is_public(scope: Scope, public_paths: frozenset[str]) -> bool:
    """Whether the exact full path is public, and written in a way that no router can read otherwise."""
    if scope["path"] not in public_paths:
        return False
    raw: bytes = scope.get("raw_path") or b""
    lower = raw.lower()
    return b"%2f" not in lower and b"%5c" not in lower and b"%2e" not in lower


def can_deny(scope: Scope) -> bool:
    """Whether the server can answer the opening of a WebSocket like any other request.

    The extension "WebSocket Denial Response" of ASGI. Without it, a client sees 403 and no reason.
    """
    return "websocket.http.response" in (scope.get("extensions") or {})


async def respond(send: Send, answer: Answer, kind: str = "http.response") -> None:
    """Send an HTTP response."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": f"{kind}.start", "status": answer.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": answer.body})


async def deny(scope: Scope, send: Send, answer: Answer, reason: str) -> None:
    """Refuse a request with an answer, the opening of a WebSocket too where the server can send one."""
    if scope["type"] == "websocket" and can_deny(scope):
        await respond(send, answer, "websocket.http.response")
    else:
        await refuse(scope, send, answer, reason)


async def refuse(scope: Scope, send: Send, answer: Answer, reason: str) -> None:
    """Refuse a request with an answer; close a WebSocket, for a reason, before it is accepted."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason})
    else:
        await respond(send, answer)
