"""Who makes the request, for log lines: `TokenFilter`.

It asks `bearerguard.context` for the verified token of the request that is being served; it never shows a
claim of a token that was not verified, or the token text itself.
"""

from __future__ import annotations

import logging

from bearerguard.context import verified_token
from bearerguard.observe import on_one_line

__all__ = ["TokenFilter", "on_one_line"]


class TokenFilter(logging.Filter):
    """Adds to every record who makes the request: `sub`, `client_id` and `provider`.

    They come from the verified token of the request that is being served, and are empty outside a request,
    before verification, where it failed, and where the token has no such claim. What a record says already,
    as the line about a refusal does, stays. It lets every record pass.
    Put it on the log handlers: a filter on a logger does not see the records of the loggers below it.

    Examples:
        >>> handler = logging.StreamHandler()
        >>> handler.addFilter(TokenFilter())
        >>> handler.setFormatter(logging.Formatter("%(levelname)s %(sub)s %(client_id)s %(message)s"))
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Set the attributes; let the record pass."""
        token = verified_token()
        known = (None,) * 3 if token is None else (token.subject, token.client_id, token.provider.name)
        said = record.__dict__
        for name, value in zip(("sub", "client_id", "provider"), known, strict=True):
            said[name] = on_one_line(said.get(name) if name in said else value)
        return True
