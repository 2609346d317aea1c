"""What a WebSocket of a browser needs of a door: a token among its subprotocols, and an end with its token.

A page cannot set header fields when it opens a WebSocket. It can name subprotocols, so by convention the
token stands among them. Here it is moved to `Authorization`, where every door looks: whoever reads the
request afterwards finds it as if it had come there. Nothing here verifies a token or refuses one.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from msgspec import Struct

from bearerguard._limits import NAP as NAP  # noqa: PLC0414 - passed on to the doors, which know no limits
from bearerguard.errors import ConfigurationError

Message = Any
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

KUBERNETES = "base64url.bearer.authorization.k8s.io."
"""What a subprotocol begins with that holds a token as Kubernetes' API server takes it."""
TOKEN_EXPIRED = 4401
"""The close code of a connection whose token has ended; RFC 6455 (7.4.2) leaves 4000 to 4999 to us."""
MOVED = "bearerguard.websocket"
"""In a scope whose subprotocols were looked through."""
WATCHED = "bearerguard.websocket.watched"
"""In a scope whose connection is closed when its token ends."""

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")


def checked_subprotocol(name: Any) -> str | None:
    """Return the name of the subprotocol before a token.

    Raises:
        ConfigurationError: it is not a name (RFC 6455, section 4.1).
    """
    if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ConfigurationError(f"websocket_subprotocol is {name!r:.80}: give a name such as 'bearer'.")
    return name


class Offer(Struct, frozen=True):
    """The subprotocols that a client offers, taken apart.

    Attributes:
        tokens: those that stand for a token.
        others: what is left for the application to choose from.
        echo: what the server chooses where the application does not: without it, browsers close (RFC 6455,
            section 4.1).
    """

    tokens: tuple[str, ...]
    others: tuple[str, ...]
    echo: str | None


def read_offer(offered: list[str], marker: str) -> Offer:
    """Return the tokens and the names among subprotocols.

    Two habits are known: the name of a marker followed by the token, and Kubernetes' prefix with the token in
    base64url, beside at least one other name.

    Args:
        offered: the subprotocols in their order.
        marker: the name before a token, compared in any case.

    Examples:
        >>> read_offer(["bearer", "a.b.c", "chat.v1"], "bearer")
        Offer(tokens=('a.b.c',), others=('chat.v1',), echo='bearer')
    """
    tokens: list[str] = []
    others: list[str] = []
    markers: list[str] = []
    names = iter(offered)
    for name in names:
        if name.lower() == marker.lower():
            markers.append(name)
            tokens.append(next(names, ""))
        elif name.startswith(KUBERNETES):
            tokens.append(_decoded(name.removeprefix(KUBERNETES)))
        else:
            others.append(name)
    return Offer(tuple(tokens), tuple(others), next(iter([*markers, *others]), None))


def _decoded(text: str) -> str:
    """The token in Kubernetes' form; nothing where it is not base64url, and nothing is not a token."""
    from base64 import urlsafe_b64decode  # noqa: PLC0415 - only where a client uses this form

    if not _BASE64URL.fullmatch(text):
        return ""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except ValueError:
        return ""


def with_websockets(
    app: App,
    *,
    subprotocol: str | None,
    seconds_left: Callable[[Scope], float | None] | None,
    ended: Callable[[Scope], str] = lambda _: "The token has expired.",
) -> App:
    """Return `app` with what its WebSockets need.

    Args:
        app: the application; what guards it must be within.
        subprotocol: the name before a token among subprotocols; None to leave them alone.
        seconds_left: says how long the token of a scope is still good, None for ever; None not to ask.
        ended: says why the token of a scope is good no longer.
    """

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await app(scope, receive, send)
            return
        if subprotocol is not None:
            scope, send = _moved(scope, send, subprotocol)
        if seconds_left is None:
            await app(scope, receive, send)
        else:
            scope[WATCHED] = True
            await _until_expiry(app, scope, receive, send, seconds_left, ended)

    return served


def _moved(scope: Scope, send: Send, marker: str) -> tuple[Scope, Send]:
    """The scope with the token in `Authorization`, and a way to answer that chooses a name."""
    offer = read_offer(list(scope.get("subprotocols") or ()), marker)
    scope = {**scope, MOVED: True}
    if not offer.tokens:
        return scope, send
    fields = [field for field in scope["headers"] if field[0] != b"sec-websocket-protocol"]
    if offer.others:
        fields.append((b"sec-websocket-protocol", ", ".join(offer.others).encode("latin-1")))
    # A field for each: more than one token is refused as more than one field is.
    fields += [(b"authorization", b"Bearer " + token.encode("latin-1", "replace")) for token in offer.tokens]
    scope |= {"subprotocols": list(offer.others), "headers": fields}

    async def chosen(message: Message) -> None:
        if message["type"] == "websocket.accept" and message.get("subprotocol") is None:
            message = {**message, "subprotocol": offer.echo}
        await send(message)

    return scope, chosen


async def _until_expiry(  # noqa: PLR0917 - an application, and what is asked of its token
    app: App,
    scope: Scope,
    receive: Receive,
    send: Send,
    seconds_left: Callable[[Scope], float | None],
    ended: Callable[[Scope], str],
) -> None:
    """Serve a WebSocket, and close it when its token ends, also while the application is silent."""
    import anyio  # noqa: PLC0415 - only where connections end with their tokens

    is_closed = False
    watching = anyio.CancelScope()

    async def watch() -> None:
        nonlocal is_closed
        with watching:
            while not watching.cancel_called and (left := seconds_left(scope)) is not None:
                if left <= 0:
                    is_closed = True
                    reason = ended(scope)
                    with suppress(OSError):  # the client has gone, or a guard outside was first
                        await send({"type": "websocket.close", "code": TOKEN_EXPIRED, "reason": reason})
                    return
                await anyio.sleep(min(left, NAP))  # the clock may be set, and sleep is not by it

    async def watched(message: Message) -> None:
        if is_closed:
            # As a server says that the client is gone (ASGI, "Disconnected Client").
            raise OSError("the connection was closed when its token expired")
        if message["type"] == "websocket.close":
            watching.cancel()
        await send(message)
        if message["type"] == "websocket.accept":
            group.start_soon(watch)

    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        try:
            await app(scope, receive, watched)
        except Exception as problem:  # noqa: BLE001 - raised again below, out of the group that would wrap it
            failure = problem
        watching.cancel()
    if failure is not None:
        raise failure
