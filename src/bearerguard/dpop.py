"""`DPoP`: how an API takes tokens that are bound to a key of the client (RFC 9449).

A value, checked when it is built. It checks no proof; that is left to the server that is given it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from bearerguard._core.address import why_insecure
from bearerguard._core.htu import normal_form
from bearerguard._jose.algorithms import ASYMMETRIC
from bearerguard._limits import DEFAULT_PROOF_AGE, MAX_PROOF_AGE, MIN_NONCE_SECRET_BYTES
from bearerguard.errors import ConfigurationError
from bearerguard.provider._warning import warn_caller

__all__ = ["DPoP"]


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class DPoP:
    """Takes tokens that are bound to a key, with a proof for each request that the client has the key.

    Tokens that are not bound are taken as Bearer, as without it. A bound token is never taken as Bearer.

    Args:
        base_url: the public address of what the application sees as `/`, with a path in front if clients see
            one. Left out, it is the origin of the guard's `resource`, with the path as it was sent.
        required: whether only DPoP will do.
        nonce: a secret of 32 bytes or more, the same in every process of the API: a proof then has to contain
            a nonce of the last four to six minutes, so nobody can make one ahead of time. `True` makes a
            secret for this process only. By default no nonce is asked for.
        max_age: seconds for which a proof without nonce is good, above 0 and at most 300.
        algorithms: the accepted `alg` values of proofs; all asymmetric ones by default.
        dangerously_accept_replays: let requests in while the store that a fleet shares is away, though their
            proofs may have been used before. By default they are answered 503.

    Raises:
        ConfigurationError: for anything contradictory or unsafe.

    Examples:
        >>> DPoP(required=True, max_age=30)
        DPoP(required=True, max_age=30)
    """

    base_url: str | None = None
    required: bool = False
    nonce: bytes | str | bool | None = None
    max_age: float = DEFAULT_PROOF_AGE
    algorithms: Iterable[str] = ASYMMETRIC
    dangerously_accept_replays: bool = False

    def __post_init__(self) -> None:
        if self.base_url is not None:
            _check_base_url(self.base_url)
        for name in ("required", "dangerously_accept_replays"):
            given: Any = getattr(self, name)
            if given.__class__ is not bool:
                raise ConfigurationError(f"DPoP: {name} is {given!r:.80}: give True or False.")
        age: Any = self.max_age
        if isinstance(age, bool) or not isinstance(age, int | float) or not 0 < age <= MAX_PROOF_AGE:
            raise ConfigurationError(
                f"DPoP: max_age is {age!r:.80}: give seconds above 0, and {MAX_PROOF_AGE:g} at most."
            )
        object.__setattr__(self, "nonce", _checked_nonce(self.nonce))
        object.__setattr__(self, "algorithms", _checked_algorithms(self.algorithms))
        if self.dangerously_accept_replays:
            warn_caller(
                "DPoP(dangerously_accept_replays=True) accepts a proof that was used before while the store "
                "is away: leave it out, and such requests are answered 503."
            )

    def __repr__(self) -> str:
        shown: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }
        if "nonce" in shown and self.nonce is not True:
            shown["nonce"] = ...  # the secret
        if "algorithms" in shown:
            shown["algorithms"] = sorted(self.algorithms)
        said = (f"{name}={'...' if value is ... else repr(value)}" for name, value in shown.items())
        return f"DPoP({', '.join(said)})"


def _check_base_url(base_url: Any) -> None:
    problem = why_insecure(base_url) if isinstance(base_url, str) else "it is not a URL"
    if problem is None and ("?" in base_url or "#" in base_url):
        problem = "it has a query or a fragment"
    elif problem is None and normal_form(base_url) is None:
        problem = "it has characters that a URL writes with % (or xn-- in a host)"
    if problem is not None:
        raise ConfigurationError(
            f"DPoP: base_url is {base_url!r:.200}, but {problem}: write the public address of what the "
            "application sees as '/', such as 'https://api.example'."
        )


def _checked_nonce(nonce: Any) -> bytes | bool | None:
    if nonce is None or nonce is False:
        return None
    if nonce is True:
        return True
    secret = nonce.encode() if isinstance(nonce, str) else nonce
    if not isinstance(secret, bytes):
        raise ConfigurationError(
            f"DPoP: nonce is a {type(nonce).__name__}: give a secret in bytes or text, or True for one of "
            "this process only."
        )
    if len(secret) < MIN_NONCE_SECRET_BYTES:
        raise ConfigurationError(
            f"DPoP: nonce is a secret of {len(secret)} bytes, which could be guessed: give "
            f"{MIN_NONCE_SECRET_BYTES} or more, such as secrets.token_urlsafe(32) makes."
        )
    return secret


def _checked_algorithms(given: Any) -> frozenset[str]:
    names = (given,) if isinstance(given, str) else given
    try:
        algorithms = frozenset(names)
    except TypeError:
        algorithms = frozenset()
    if not algorithms or not algorithms <= ASYMMETRIC:
        raise ConfigurationError(
            f"DPoP: algorithms is {given!r:.200}: choose from {', '.join(sorted(ASYMMETRIC))}."
        )
    return algorithms
