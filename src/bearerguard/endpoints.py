"""What a guard serves by itself, at paths of its own, to requests that need no token.

Today that is the resource's metadata (RFC 9728). An endpoint is a value; every door installs what its guard
has in one loop, and knows nothing of what it says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from bearerguard.answer import Answer

__all__ = ["Endpoint"]

_ANY_ORIGIN = [("Access-Control-Allow-Origin", "*")]


class Endpoint(Struct, frozen=True):
    """A path that a guard serves.

    Attributes:
        path: the exact path, below the mount of the application.
        methods: those that are answered.
        respond: called with the method, returns the answer. It never blocks.
    """

    path: str
    methods: tuple[str, ...]
    respond: Callable[[str], Answer]


def metadata_endpoint(path: str, describe: Callable[[], Mapping[str, Any]]) -> Endpoint:
    """Return the endpoint of a resource's metadata (RFC 9728, section 3): public, cacheable, for any origin.

    Args:
        path: where it stands.
        describe: returns the metadata as it is at the moment.
    """

    def respond(method: str) -> Answer:
        if method == "OPTIONS":
            # A browser asks whether it may send fields of its own, such as an MCP client's protocol version.
            preflight = [("Access-Control-Allow-Methods", "GET"), ("Access-Control-Allow-Headers", "*")]
            return Answer(204, [*_ANY_ORIGIN, *preflight], b"")
        content = json.dumps(describe()).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "public, max-age=3600"),
        ]
        return Answer(200, [*headers, *_ANY_ORIGIN], content)

    return Endpoint(path, ("GET", "HEAD", "OPTIONS"), respond)
