"""The checks of a token's claims (RFC 7519 section 4.1), composed once for each provider.

`cnf` is not among them: whether a bound token may be used is for each request to say, not for the token.

Only reads claims whose signature was checked. Every check refuses a claim of the wrong type as well as one
of the wrong value: a check is never skipped because a claim is strange. `iss` is compared where the
provider is chosen, before anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NoReturn

from bearerguard._limits import MAX_LEEWAY, MAX_NUMERIC_DATE
from bearerguard.errors import InvalidToken

ClaimsSet = dict[str, Any]
"""The claims of a token, by name (RFC 7519, section 2)."""
ClaimChecks = Callable[[ClaimsSet, float], float]
"""All checks of a provider: until when (not included) the token is valid, leeway included."""
ClaimCheck = Callable[[ClaimsSet], None]
"""One check of claims that were found to be valid otherwise; it raises where they are refused."""
_ABSENT: Any = object()


def compose_checks(  # noqa: C901 - counts the branches of `check` as its own
    *,
    leeway: float,
    audiences: Collection[str] | None,
    audience_claim: str,
    required: Iterable[str],
    required_values: Mapping[str, tuple[Any, ...]],
    also: tuple[ClaimCheck, ...] = (),
) -> ClaimChecks:
    """Return one function that makes all checks of a provider: `check(claims, now)`.

    Args:
        leeway: seconds of clock difference to forgive.
        audiences: of which the token must name one; None checks no audience.
        audience_claim: the claim that holds the audience.
        required: claims that must be there.
        required_values: claims that must have one of some values.
        also: checks that only few providers need, made after all others.
    """
    accepted = None if audiences is None else frozenset(audiences)
    required = tuple(dict.fromkeys(required))
    has_client = "client_id" in required
    # What is looked at before, its absence included, is not looked for again.
    missed_before = {"exp"} if accepted is None else {"exp", audience_claim}
    present = tuple(name for name in required if name not in missed_before)
    fixed = tuple(required_values.items())

    def check(claims: ClaimsSet, now: float) -> float:  # noqa: C901, PLR0912 - a call more is 0.1 us a token
        # RFC 7519, sections 4.1.4 to 4.1.6. `exp` is past at `exp` itself. The dates of most tokens are told
        # here to be whole numbers; `check_date` knows what else is a date, and what is not.
        expires = claims.get("exp")
        if expires is None:
            raise InvalidToken("missing_claim", "The token has no 'exp' claim.")
        if expires.__class__ is not int or not 0 <= expires <= MAX_NUMERIC_DATE:
            check_date(expires, "exp")
        until: float = expires + leeway
        if not now < until:  # written so that a NaN clock refuses everyone
            # How long ago is told where a clock may be off; the claims are verified by then.
            ago = now - expires
            raise InvalidToken("expired", _expired(ago) if ago <= MAX_LEEWAY else "The token has expired.")
        not_before = claims.get("nbf", _ABSENT)
        if not_before is not _ABSENT:  # null is there, and is not a date
            check_date(not_before, "nbf")
            if now < not_before - leeway:
                ahead = _seconds(not_before - now)
                raise InvalidToken("not_yet_valid", f"The token is not valid yet: it will be in {ahead}.")
        # A token issued in the future is refused like one that is not valid yet: its clock or ours is wrong.
        issued_at = claims.get("iat", _ABSENT)
        if issued_at is not _ABSENT:
            if issued_at.__class__ is not int or not 0 <= issued_at <= MAX_NUMERIC_DATE:
                check_date(issued_at, "iat")
            if now < issued_at - leeway:
                ahead = _seconds(issued_at - now)
                raise InvalidToken("not_yet_valid", f"The token was issued {ahead} in the future.")
        if accepted is not None:
            check_audience(claims, audience_claim, accepted)
        subject = claims.get("sub")  # RFC 7519, section 4.1.2
        if subject is not None and subject.__class__ is not str:
            refuse_malformed("sub")
        token_id = claims.get("jti")  # RFC 7519, section 4.1.7
        if token_id is not None and token_id.__class__ is not str:
            refuse_malformed("jti")
        if has_client:
            check_text(claims, "client_id")  # RFC 8693, section 4.3
        for name in present:
            if claims.get(name) is None:
                refuse_missing(name)
        for name, allowed in fixed:
            check_value(claims, name, allowed)
        return until

    def check_more(claims: ClaimsSet, now: float) -> float:
        until = check(claims, now)
        for one in also:
            one(claims)
        return until

    return check_more if also else check


def _expired(ago: float) -> str:
    return f"The token expired {_seconds(ago)} ago."


def _seconds(difference: float) -> str:
    return f"{difference:.0f} s" if difference <= MAX_LEEWAY else f"{difference / 60:.0f} min"


def check_date(value: Any, name: str) -> None:
    """A finite JSON number of seconds (RFC 7519, section 2), never a string or a boolean."""
    if (value.__class__ is int or value.__class__ is float) and (
        -MAX_NUMERIC_DATE <= value <= MAX_NUMERIC_DATE
    ):
        return
    raise InvalidToken("invalid_claim", f"The token's {name!r} claim is not a date.")


def check_text(claims: ClaimsSet, name: str) -> None:
    """A claim that is text where it is there at all."""
    value = claims.get(name)
    if value is not None and value.__class__ is not str:
        refuse_malformed(name)


def check_present(claims: ClaimsSet, name: str) -> None:
    """A claim that the profile requires; null does not count as one."""
    if claims.get(name) is None:
        refuse_missing(name)


def check_audience(claims: ClaimsSet, claim: str, accepted: frozenset[str]) -> None:
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
                refuse_malformed(claim)
            named = named or value in accepted
        if named:
            return
    else:
        refuse_malformed(claim)
    raise InvalidToken("audience", "The token is meant for another audience.")


def check_value(claims: ClaimsSet, name: str, allowed: tuple[Any, ...]) -> None:
    """A claim that the provider's configuration fixes; `1`, `1.0` and `true` are three different values."""
    check_present(claims, name)
    value = claims[name]
    if not any(value.__class__ is one.__class__ and value == one for one in allowed):
        raise InvalidToken("invalid_claim", f"The token's {name!r} claim has a value that is not accepted.")


def refuse_missing(name: str) -> NoReturn:
    """A claim that has to be there."""
    raise InvalidToken("missing_claim", f"The token has no {name!r} claim.")


def refuse_malformed(name: str) -> NoReturn:
    """A claim of a type that it may not have."""
    raise InvalidToken("invalid_claim", f"The token's {name!r} claim is malformed.")
