"""`Revocation`: that tokens may be taken back before they expire, and how long that is remembered.

A value, checked when it is built. It revokes nothing: that is `ResourceServer.revoke`.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from bearerguard._limits import (
    DEFAULT_HORIZON,
    DEFAULT_MAX_LAG,
    MAX_NUMERIC_DATE,
    MIN_HORIZON,
    MIN_MAX_LAG,
)
from bearerguard.errors import ConfigurationError
from bearerguard.provider._warning import warn_caller

__all__ = ["Revocation"]


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class Revocation:
    """Has a server ask of every token whether it was revoked (`ResourceServer.revoke`, `BackChannelLogout`).

    Without a store, a revocation is known only to the process in which it was made.

    Args:
        horizon: seconds for which revocations are remembered, at least 60. A token that was issued longer
            ago is refused, and so is a JWT that does not say when it was issued.
        max_lag: seconds for which the store may not be heard before requests are answered 503, at least 1.
        strict: whether the store is asked for each request, in place of twice a second for all of them.
        dangerously_accept_unheard_revocations: whether tokens are accepted while the store is away, those
            that were revoked meanwhile among them.

    Raises:
        ConfigurationError: for anything that is out of bounds.

    Warns:
        SecurityWarning: `dangerously_accept_unheard_revocations`.

    Examples:
        >>> Revocation(horizon=3600)
        Revocation(horizon=3600)
    """

    horizon: float = DEFAULT_HORIZON
    max_lag: float = DEFAULT_MAX_LAG
    strict: bool = False
    dangerously_accept_unheard_revocations: bool = False

    def __post_init__(self) -> None:
        _check_seconds("horizon", self.horizon, MIN_HORIZON)
        _check_seconds("max_lag", self.max_lag, MIN_MAX_LAG)
        for name in ("strict", "dangerously_accept_unheard_revocations"):
            given = getattr(self, name)
            if given.__class__ is not bool:
                raise ConfigurationError(f"Revocation: {name} is {given!r:.80}: give True or False.")
        if self.dangerously_accept_unheard_revocations:
            warn_caller(
                "Revocation(dangerously_accept_unheard_revocations=True): while the store is away, tokens "
                "that were revoked are accepted. Leave it out to have such requests answered 503."
            )

    def __repr__(self) -> str:
        said = (
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        )
        return f"Revocation({', '.join(said)})"


def _check_seconds(name: str, given: Any, least: float) -> None:
    is_number = given.__class__ is int or given.__class__ is float
    if not is_number or not math.isfinite(given) or not least <= given <= MAX_NUMERIC_DATE:
        raise ConfigurationError(f"Revocation: {name} is {given!r:.80}: give seconds, at least {least:g}.")
