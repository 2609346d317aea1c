"""A method's handler with something else behind it: of the same arity, and with the same messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

__all__: list[str] = []


def rebuilt(handler: Any, wrapped: Callable[[Any], Any]) -> Any:
    """Return a handler like `handler`, which does what `wrapped` makes of what that one does."""
    name = f"{_kind(handler.request_streaming)}_{_kind(handler.response_streaming)}"
    make: Any = getattr(grpc, f"{name}_rpc_method_handler")
    return make(wrapped(getattr(handler, name)), handler.request_deserializer, handler.response_serializer)


def _kind(is_streaming: bool) -> str:
    return "stream" if is_streaming else "unary"
