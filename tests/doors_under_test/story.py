"""One API at every door that tells, at each point of a request, who is behind it.

Its paths are `/upload`, `/thread`, `/background`, `/stream`, `/call` and `/public`, which needs no token.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from bearerguard.context import verified_token
from bearerguard.logging import TokenFilter


def processor(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What an application gives to structlog, and an OpenTelemetry hook does likewise."""
    token = verified_token()
    event["sub"] = "" if token is None else token.subject
    return event


def who() -> str:
    """Whom logs name at this point, however they ask."""
    subject: str = processor(None, "info", {})["sub"]
    record = logging.LogRecord("api", logging.INFO, __file__, 1, "", None, None)
    TokenFilter().filter(record)
    assert record.__dict__["sub"] == subject
    return subject


class Story:
    """What was told, in order: where, and who was named there.

    Attributes:
        leaked: contexts that somebody kept.
        kept: scopes that somebody kept.
        background_is_done: when all that follows an answer has been told.
    """

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.leaked: list[contextvars.Context] = []
        self.kept: list[Any] = []
        self.background_is_done = threading.Event()

    def tell(self, where: str) -> None:
        self.lines.append((where, who()))
        self.leaked.append(contextvars.copy_context())

    async def tell_in_task(self, where: str) -> None:
        self.tell(where)

    def chunks(self) -> Iterator[str]:
        try:
            for number in ("1", "2"):
                self.tell(f"chunk {number}")
                yield number
        finally:
            self.tell("end of stream")

    async def chunks_in_task(self) -> AsyncIterator[str]:
        for chunk in self.chunks():
            yield chunk

    @contextmanager
    def told_of_refusals(self) -> Iterator[None]:
        """Have the library's own lines on bad tokens told too, as "refused"."""
        logger, handler, level = logging.getLogger("bearerguard"), logging.Handler(), logging.INFO
        handler.emit = self._emit  # type: ignore[method-assign]
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(level)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)

    def _emit(self, record: logging.LogRecord) -> None:
        if record.__dict__.get("reason", "no_credentials") != "no_credentials":
            self.tell("refused")

    def nobody_is_left(self) -> bool:
        """Whether nobody is named any more, here or in any context that was to be had."""
        return not any([who(), *(context.run(who) for context in self.leaked)])
