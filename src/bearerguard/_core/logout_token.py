"""The checks of a logout token (OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.6).

A provider signs one for a client whose user has logged out. It is not an access token, and a token of another
kind is not one of these: what tells them apart is all checked. Reads only claims whose signature was checked;
`iss` was compared where the provider was chosen.
"""

from __future__ import annotations

import math

import msgspec

from bearerguard._core.claims import (
    ClaimCheck,
    ClaimChecks,
    ClaimsSet,
    check_audience,
    check_date,
    check_present,
    check_text,
    refuse_malformed,
    refuse_missing,
)
from bearerguard._core.denylist import Kind
from bearerguard._limits import LOGOUT_TOKEN_AGE
from bearerguard.errors import InvalidToken

TYPES: frozenset[str | None] = frozenset({None, "jwt", "logout+jwt"})
"""The `typ` values of a logout token (section 2.4): it should say what it is, and older issuers do not."""
EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Logout(msgspec.Struct, frozen=True):
    """Who was logged out.

    Attributes:
        kind: `sid` where the session is named, and else `sub`.
        value: its text.
        at: when, in whole seconds since 1970 by the provider's clock.
        token_id: the `jti` of the logout token.
        until: from when on, in seconds since 1970, the logout token is good no longer.
    """

    kind: Kind
    value: str
    at: int
    token_id: str
    until: float


def compose_logout_checks(
    *, leeway: float, client_id: str, requires_exp: bool, also: tuple[ClaimCheck, ...] = ()
) -> ClaimChecks:
    """Return one function that makes all checks: `check(claims, now)`; it returns until when they hold.

    Args:
        leeway: seconds of clock difference to forgive.
        client_id: the client that the provider tells, which `aud` has to name (section 2.4).
        requires_exp: whether `exp` has to be there.
        also: checks that only few providers need.
    """
    accepted = frozenset({client_id})

    def check(claims: ClaimsSet, now: float) -> float:
        until = min(
            check_expiry(claims, now, leeway, required=requires_exp), check_issued(claims, now, leeway)
        )
        check_audience(claims, "aud", accepted)
        check_events(claims)
        check_no_nonce(claims)
        check_names_somebody(claims)
        check_present(claims, "jti")
        check_text(claims, "jti")
        for one in also:
            one(claims)
        return until

    return check


def check_expiry(claims: ClaimsSet, now: float, leeway: float, *, required: bool) -> float:
    """`exp` (section 2.4), which issuers from before the errata leave out."""
    if claims.get("exp") is None and not required:
        return math.inf
    check_present(claims, "exp")
    expires: float = claims["exp"]
    check_date(expires, "exp")
    until: float = expires + leeway
    if not now < until:
        raise InvalidToken("expired", "The token has expired.")
    return until


def check_issued(claims: ClaimsSet, now: float, leeway: float) -> float:
    """`iat` (section 2.4): not in the future, and not long ago, as a logout is told at once."""
    check_present(claims, "iat")
    issued_at: float = claims["iat"]
    check_date(issued_at, "iat")
    if now < issued_at - leeway:
        raise InvalidToken("not_yet_valid", "The token was issued in the future.")
    until = issued_at + LOGOUT_TOKEN_AGE + leeway
    if not now < until:
        raise InvalidToken("expired", "The token has expired.")
    return until


def check_events(claims: ClaimsSet) -> None:
    """`events` (section 2.4): an object with the event as a member, whose value is an object."""
    check_present(claims, "events")
    events = claims["events"]
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        refuse_malformed("events")


def check_no_nonce(claims: ClaimsSet) -> None:
    """No `nonce` (section 2.4): with one, an ID token could pass as a logout token."""
    if "nonce" in claims:
        raise InvalidToken("type", "The token has a nonce, so it is not a logout token.")


def check_names_somebody(claims: ClaimsSet) -> None:
    """`sub`, `sid` or both (section 2.4), as text."""
    for name in ("sub", "sid"):
        check_text(claims, name)
    if not claims.get("sub") and not claims.get("sid"):
        refuse_missing("sub")


def logout_in(claims: ClaimsSet, until: float) -> Logout:
    """Return who was logged out, from checked claims: the session if there is a `sid`, else the user."""
    kind: Kind = "sid" if claims.get("sid") else "sub"
    return Logout(kind, claims[kind], math.floor(claims["iat"]), claims["jti"], until)
