"""What a request to an MCP server is for: the tool, prompt or resource that its JSON-RPC body names.

Nothing but the body counts: a client writes `Mcp-Name` as it likes. What cannot be read here is left to the
server, and whoever decides by an operation enforces the rule once more where the function is called.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from bearerguard._asgi import Receive, Scope

__all__: list[str] = []

NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The methods that call a function of the server, with the parameter that says which."""


class Operation(NamedTuple):
    """A function of the server that a client asks for.

    Attributes:
        method: one of `NAMED_BY`.
        name: the name of a tool or a prompt, or the URI of a resource.
    """

    method: str
    name: str


class UnreadableBody(Exception):
    """The body is not JSON, or deeper than anybody reads."""


class _Message(msgspec.Struct):
    method: Any = None
    params: msgspec.Raw = msgspec.Raw(b"null")


class _Params(msgspec.Struct):
    name: Any = None
    uri: Any = None


_message = msgspec.json.Decoder(_Message)
_params = msgspec.json.Decoder(_Params)


def operation_in(body: bytes) -> Operation | None:
    """Return the operation that a JSON-RPC message asks for; None where it asks for none that has a rule.

    Of a member that stands there twice the last one counts, as for the SDK.

    Raises:
        UnreadableBody: it is not JSON.
    """
    try:
        message = _message.decode(body)
        if not isinstance(message.method, str) or message.method not in NAMED_BY:
            return None
        name = getattr(_params.decode(message.params), NAMED_BY[message.method])
    except msgspec.ValidationError:  # JSON, but not such a message: the server says what is wrong with it
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableBody from None
    return Operation(message.method, name) if isinstance(name, str) else None


def may_name_one(scope: Scope) -> bool:
    """Whether a request has a body in which an MCP server looks for a message."""
    if scope["method"] != "POST":
        return False
    types = [value.lower() for name, value in scope["headers"] if name == b"content-type"]
    return any(value.startswith(b"application/json") for value in types)


async def read(receive: Receive, limit: int) -> tuple[bytes | None, Receive]:
    """Read the body of a request, no further than `limit` bytes.

    Returns:
        The body, None where it is longer or the client has gone; and what the application receives in its
        place: all of it, and then what comes.
    """
    received: list[Any] = []
    body = bytearray()
    is_whole = False
    while not is_whole and len(body) <= limit:
        message = await receive()
        received.append(message)
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
    whole = bytes(body) if is_whole and len(body) <= limit else None
    return whole, _again(received, receive)


def _again(received: list[Any], receive: Receive) -> Receive:
    waiting = iter(received)

    async def again() -> Any:
        for message in waiting:
            return message
        return await receive()

    return again
