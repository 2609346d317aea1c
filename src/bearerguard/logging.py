"""Who makes the request, for log lines: `TokenFilter`.

It asks `bearerguard.context` for the verified token of the request that is being served; it never shows a
claim of a token that was not verified, or the token text itself.
"""

from __future__ import annotations

import logging
from typing import Any

from bearerguard.context import verified_token

__all__ = ["TokenFilter", "on_one_line"]


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

    def filter(self, record: logging.LogRecord) -> bool:
        """Set the attributes; let the record pass."""
        token = verified_token()
        record.sub = "" if token is None else on_one_line(token.subject)
        record.client_id = "" if token is None else on_one_line(token.client_id)
        record.provider = "" if token is None else on_one_line(token.provider.name)
        return True


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
