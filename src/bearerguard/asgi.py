"""The ASGI side of a refusal: an error's status, challenge and body, put as messages.

Plain ASGI, for any framework or none. It decides nothing about tokens.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from bearerguard.errors import AuthError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY_VIOLATION = 1008
"""The close code of a WebSocket that is refused (RFC 6455, section 7.4.1)."""


def json_body(error: AuthError) -> bytes:
    """Return the body of a refusal: one sentence for people, one code for programs."""
    content = {"message": error.description, "error": error.code or "missing_credentials"}
    return json.dumps(content).encode()


async def refuse(
    scope: Scope, send: Send, error: AuthError, *, status: int | None = None, body: bytes | None = None
) -> None:
    """Answer a request, or an attempt to open a WebSocket, with a refusal.

    Args:
        scope: the ASGI scope of what is refused.
        send: the ASGI send of it.
        error: why it is refused.
        status: another status than the error's own.
        body: another body than `json_body`; JSON too.
    """
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": error.description})
        return
    content = json_body(error) if body is None else body
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content))), *error.headers()]
    await send(
        {
            "type": "http.response.start",
            "status": error.status if status is None else status,
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        }
    )
    await send({"type": "http.response.body", "body": content})
