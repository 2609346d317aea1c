"""What operators are told of decisions. It decides nothing, and shows nothing unverified but the key id."""

from __future__ import annotations

import logging
from typing import TypeVar

from bearerguard.errors import AuthError

__all__: list[str] = []

E = TypeVar("E", bound=AuthError)

_logger = logging.getLogger("bearerguard")


def log_refusal(error: E) -> E:
    """Log why a request was refused; return the error."""
    if not _logger.isEnabledFor(logging.INFO):
        return error
    kid = None if error.kid is None else ascii(error.kid[:64])
    _logger.info(
        "refused: reason=%s provider=%s kid=%s",
        error.reason,
        error.provider,
        kid,
        # Not `provider`: `bearerguard.logging.TokenFilter` sets that one, of a verified token only.
        extra={"reason": error.reason, "refused_by": error.provider, "kid": kid},
    )
    return error
