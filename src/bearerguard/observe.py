"""What operators are told of decisions. It decides nothing, and shows nothing unverified but the key id."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeVar

from bearerguard.errors import AuthError

if TYPE_CHECKING:
    import logging

__all__: list[str] = []

E = TypeVar("E", bound=AuthError)


@cache
def logger() -> logging.Logger:
    """The logger of all that this library says; what logs is loaded when there is something to say."""
    import logging  # noqa: PLC0415

    return logging.getLogger("bearerguard")


def log_refusal(error: E) -> E:
    """Log why a request was refused; return the error."""
    log = logger()
    if not log.isEnabledFor(20):  # INFO
        return error
    kid = None if error.kid is None else ascii(error.kid[:64])
    log.info(
        "refused: reason=%s provider=%s kid=%s",
        error.reason,
        error.provider,
        kid,
        # Not `provider`: `bearerguard.logging.TokenFilter` sets that one, of a verified token only.
        extra={"reason": error.reason, "refused_by": error.provider, "kid": kid},
    )
    return error
