"""An answer that may be kept: with an entity tag, and 304 to somebody who has it already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bearerguard.testing.endpoints.endpoint import State
from bearerguard.testing.exchange import Request, Response

__all__ = ["cacheable"]


def cacheable(request: Request, state: State, content: Mapping[str, Any]) -> Response:
    """`content`, or 304 to somebody who has it already (RFC 9110 section 13.1.2)."""
    tag = f'"{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]}"'
    headers = [("ETag", tag)]
    if state.cache_control is not None:
        headers.append(("Cache-Control", state.cache_control))
    known = [item.strip().removeprefix("W/") for item in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(304, tuple(headers))
    return Response.json(200, content, *headers)
