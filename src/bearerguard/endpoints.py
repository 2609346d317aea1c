"""What a guard serves by itself, at paths of its own, to requests that need no token.

The resource's metadata (RFC 9728), and whether the API is ready. An endpoint is a value; every door installs
what its guard has in one loop, and knows nothing of what it says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from bearerguard.answer import Answer
from bearerguard.errors import ConfigurationError

__all__ = ["Endpoint", "EndpointRequest", "PendingAnswer"]

_ANY_ORIGIN = [("Access-Control-Allow-Origin", "*")]
_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
"""A path that every framework takes as it stands, without a parameter in it."""


def json_answer(status: int, content: Mapping[str, Any], *headers: tuple[str, str]) -> Answer:
    body = json.dumps(content).encode()
    described = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return Answer(status, [*described, *headers], body)


_TOO_LARGE = json_answer(
    413, {"error": "invalid_request", "error_description": "The body is longer than this address takes."}
)


class EndpointRequest(NamedTuple):
    """What an endpoint sees of a request.

    Attributes:
        method: the method.
        body: what was sent, of which a door reads `max_body` bytes of the endpoint and one more.
        content_type: the field of this name; empty where none was sent.
    """

    method: str
    body: bytes = b""
    content_type: str = ""


class PendingAnswer(Protocol):
    """An answer for which something has to be waited for; to be driven once."""

    def wait(self) -> Answer:
        """Return the answer; block the thread meanwhile."""
        ...

    def __await__(self) -> Generator[Any, Any, Answer]:
        """Return the answer; suspend the task meanwhile."""
        ...


class Endpoint(Struct, frozen=True):
    """A path that a guard serves.

    Attributes:
        path: the exact path, below the mount of the application.
        methods: those that are answered.
        respond: called with the request, returns the answer, or one that has to be waited for. It never
            blocks.
        max_body: how many bytes of a body it takes; a longer one is answered with 413, and without a number
            no body is read.
    """

    path: str
    methods: tuple[str, ...]
    respond: Callable[[EndpointRequest], Answer | PendingAnswer]
    max_body: int = 0

    def answer(self, request: EndpointRequest) -> Answer:
        """Return the answer to a request; block the thread where it has to be waited for."""
        if len(request.body) > self.max_body:
            return _TOO_LARGE
        answer = self.respond(request)
        return answer if isinstance(answer, Answer) else answer.wait()

    async def aanswer(self, request: EndpointRequest) -> Answer:
        """The same as `answer`, for a task."""
        if len(request.body) > self.max_body:
            return _TOO_LARGE
        answer = self.respond(request)
        return answer if isinstance(answer, Answer) else await answer


def check_path(path: Any, what: str, example: str) -> None:
    """Check that a path is one that all frameworks serve as it stands.

    Args:
        path: the path.
        what: what a message says of it.
        example: a path for it.

    Raises:
        ConfigurationError: it is not.
    """
    if not isinstance(path, str) or _PATH.fullmatch(path) is None:
        raise ConfigurationError(
            f"{what} {path!r:.80}: give a path of letters, digits and -._~/, such as {example!r}."
        )


def metadata_endpoint(path: str, describe: Callable[[], Mapping[str, Any]]) -> Endpoint:
    """Return the endpoint of a resource's metadata (RFC 9728, section 3): public, cacheable, for any origin.

    Args:
        path: where it stands.
        describe: returns the metadata as it is at the moment.
    """

    def respond(request: EndpointRequest) -> Answer:
        if request.method == "OPTIONS":
            # A browser asks whether it may send fields of its own, such as an MCP client's protocol version.
            preflight = [("Access-Control-Allow-Methods", "GET"), ("Access-Control-Allow-Headers", "*")]
            return Answer(204, [*_ANY_ORIGIN, *preflight], b"")
        return json_answer(200, describe(), ("Cache-Control", "public, max-age=3600"), *_ANY_ORIGIN)

    return Endpoint(path, ("GET", "HEAD", "OPTIONS"), respond)


def readiness_endpoint(path: str, is_ready: Callable[[], bool]) -> Endpoint:
    """Return the endpoint that says whether the API may be sent requests: 200 or 503, and nothing of why.

    Args:
        path: where it stands.
        is_ready: says so, without waiting.

    Raises:
        ConfigurationError: the path is not one that all frameworks serve as it stands.
    """
    check_path(path, "readiness is asked for at", "/ready")

    def respond(_: EndpointRequest) -> Answer:
        ready = is_ready()
        return json_answer(200 if ready else 503, {"ready": ready}, ("Cache-Control", "no-store"))

    return Endpoint(path, ("GET", "HEAD"), respond)
