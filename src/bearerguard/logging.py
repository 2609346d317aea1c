"""Who makes the request, for log lines: `TokenFilter`, and the context variable that it reads.

A door says which token it has verified; nothing here verifies one, and nothing here ever shows a claim of a
token that was not, or the token text itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, ClassVar, Self

from bearerguard.token import AccessToken

__all__ = ["TokenFilter"]

current: ContextVar[AccessToken | Callable[[], AccessToken | None] | None] = ContextVar(
    "bearerguard.logging.current", default=None
)
"""For doors: the verified token of this request, or how to find it where the framework keeps one itself.

Only to be relied on where there is a `TokenFilter`: see `TokenFilter.in_use`.
"""


class TokenFilter(logging.Filter):
    """Adds to every record who makes the request: `sub`, `client_id` and `provider`.

    They come from the verified token of the request that is being served, and are empty outside a request,
    before verification, where it failed, and where the token has no such claim. It lets every record pass.
    Put it on the log handlers: a filter on a logger does not see the records of the loggers below it.

    Example:
        >>> handler = logging.StreamHandler()
        >>> handler.addFilter(TokenFilter())
        >>> handler.setFormatter(logging.Formatter("%(levelname)s %(sub)s %(client_id)s %(message)s"))
    """

    in_use: ClassVar[bool] = False
    """Whether one was ever made; until then a door need not say which token it has verified."""

    def __new__(cls, *_args: Any, **_options: Any) -> Self:
        """Note that there is one; not in `__init__`, which a subclass may forget to call."""
        TokenFilter.in_use = True
        return super().__new__(cls)

    def filter(self, record: logging.LogRecord) -> bool:
        """Set the attributes; let the record pass."""
        token = verified_token()
        record.sub = "" if token is None else on_one_line(token.subject)
        record.client_id = "" if token is None else on_one_line(token.client_id)
        record.provider = "" if token is None else on_one_line(token.provider.name)
        return True


def verified_token() -> AccessToken | None:
    """Return the verified token of the request that is being served, where a door has noted one for logs."""
    found = current.get()
    return found() if callable(found) else found


def on_one_line(value: Any) -> Any:
    r"""Return a claim as it may stand in a log: no text of a user's choosing begins a new line.

    Example:
        >>> on_one_line("ada\nERROR root logged in")
        'ada\\nERROR root logged in'
    """
    if value is None:
        return ""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
