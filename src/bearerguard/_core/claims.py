"""The checks of a token's claims (RFC 7519 section 4.1), composed once for each provider.

Only reads claims whose signature was checked. Every check refuses a claim of the wrong type as well as one
of the wrong value: a check is never skipped because a claim is strange. `iss` is compared where the
provider is chosen, before anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from bearerguard._core.limits import MAX_NUMERIC_DATE
from bearerguard.errors import InvalidToken

Claims = dict[str, Any]
_EARLIEST = -MAX_NUMERIC_DATE
ClaimChecks = Callable[[Claims, float], float]
"""All checks of a provider: until when (not included) the token is valid, leeway included."""


def compose_checks(  # noqa: C901 - all in one: each call less saves every new token 0.1 us
    *,
    leeway: float,
    audiences: Collection[str] | None,
    audience_claim: str,
    required: Iterable[str],
    required_values: Mapping[str, tuple[Any, ...]],
) -> ClaimChecks:
    """Return one function that makes all checks of a provider: `check(claims, now)`.

    Args:
        leeway: seconds of clock difference to forgive.
        audiences: of which the token must name one; None checks no audience.
        audience_claim: the claim that holds the audience.
        required: claims that must be there.
        required_values: claims that must have one of some values.
    """
    accepted = None if audiences is None else frozenset(audiences)
    present = tuple(dict.fromkeys(required))
    # RFC 7519, sections 4.1.2 and 4.1.7; RFC 8693, section 4.3
    strings = ("sub", "jti", "client_id") if "client_id" in present else ("sub", "jti")
    values = tuple(required_values.items())

    def check(claims: Claims, now: float) -> float:
        # RFC 7519, sections 4.1.4 to 4.1.6. `exp` is past at `exp` itself.
        expires = claims.get("exp")
        if expires is None:
            raise InvalidToken("missing_claim", "The token has no 'exp' claim.")
        until = numeric_date(expires, "exp") + leeway
        if not now < until:  # so put that a clock which is no number lets nobody in
            raise InvalidToken("expired", "The token has expired.")
        not_before = claims.get("nbf")
        if not_before is not None and now < numeric_date(not_before, "nbf") - leeway:
            raise InvalidToken("not_yet_valid", "The token is not valid yet.")
        # A token issued in the future is refused like one that is not valid yet: its clock or ours is wrong.
        issued_at = claims.get("iat")
        if issued_at is not None and now < numeric_date(issued_at, "iat") - leeway:
            raise InvalidToken("not_yet_valid", "The token was issued in the future.")
        if accepted is not None:
            check_audience(claims, audience_claim, accepted)
        for name in strings:
            value = claims.get(name)
            if value is not None and value.__class__ is not str:
                raise InvalidToken("invalid_claim", f"The token's {name!r} claim is malformed.")
        for name in present:
            if claims.get(name) is None:
                raise InvalidToken("missing_claim", f"The token has no {name!r} claim.")
        for name, allowed in values:
            check_value(claims, name, allowed)
        if "cnf" in claims:
            refuse_sender_constrained()
        return until

    return check


def numeric_date(value: float, name: str) -> float:
    """A finite JSON number of seconds (RFC 7519, section 2), never a string or a boolean."""
    if (value.__class__ is int or value.__class__ is float) and _EARLIEST <= value <= MAX_NUMERIC_DATE:
        return value
    raise InvalidToken("invalid_claim", f"The token's {name!r} claim is no date.")


def check_audience(claims: Claims, claim: str, accepted: frozenset[str]) -> None:
    """`aud` (RFC 7519, section 4.1.3): one of the accepted values, as a string or in an array of strings."""
    audience = claims.get(claim)
    if audience.__class__ is str:
        if audience in accepted:
            return
    elif audience is None:
        raise InvalidToken("missing_claim", f"The token has no {claim!r} claim.")
    elif audience.__class__ is list:
        named = False
        for value in audience:
            if value.__class__ is not str:
                raise InvalidToken("invalid_claim", f"The token's {claim!r} claim is malformed.")
            named = named or value in accepted
        if named:
            return
    else:
        raise InvalidToken("invalid_claim", f"The token's {claim!r} claim is malformed.")
    raise InvalidToken("audience", "The token is meant for another audience.")


def check_value(claims: Claims, name: str, allowed: tuple[Any, ...]) -> None:
    """A claim that the provider's configuration fixes; `1`, `1.0` and `true` are three different values."""
    value = claims.get(name)
    if value is None:
        raise InvalidToken("missing_claim", f"The token has no {name!r} claim.")
    if not any(value.__class__ is one.__class__ and value == one for one in allowed):
        raise InvalidToken("invalid_claim", f"The token's {name!r} claim has a value that is not accepted.")


def refuse_sender_constrained() -> None:
    """A token with `cnf` is bound to a key (RFC 7800); as plain Bearer it may be stolen (RFC 9449, 7.2)."""
    raise InvalidToken("sender_constrained", "The token is bound to a key, and cannot be used as Bearer.")
