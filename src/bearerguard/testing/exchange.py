"""A request to an issuer of tests and its response, as both of its ways in see them; no socket, no client.

The in-process transport and the loopback server hand a `Request` to whatever `Answers`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Answers", "RecordedRequest", "Request", "Response"]


@dataclass(frozen=True)
class Request:
    """A request as it arrives: `path` without the query, the names of `headers` in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    query: str = ""


@dataclass(frozen=True)
class Response:
    """A response as it leaves."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @classmethod
    def json(cls, status: int, content: Mapping[str, Any], *headers: tuple[str, str]) -> Response:
        """A response with JSON for a body."""
        return cls(status, (("Content-Type", "application/json"), *headers), json.dumps(content).encode())


@dataclass(frozen=True)
class RecordedRequest:
    """Something that an issuer was asked.

    `time` is the reading of the issuer's clock when the request arrived; `headers` have names in lower case.
    """

    method: str
    path: str
    time: float
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Answers(Protocol):
    """What the transport and the server lead to: an issuer, under its address of the moment."""

    url: str

    def answer(
        self, request: Request, limit: float | None = None, *, cut_short: Callable[[], bool] = ...
    ) -> Response | None:
        """The answer to `request`, None where there is none; `TimeoutError` if it takes `limit` seconds."""

    def look_again(self) -> None:
        """Have requests that wait for a slow issuer look at their `cut_short` again."""
