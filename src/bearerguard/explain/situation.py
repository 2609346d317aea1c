"""What is known when a token was judged: the outcome, the configuration, and what the token claims of itself.

Reads what was not verified, for people to look at, and decides nothing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from bearerguard._jose import base64url
from bearerguard._jose.json_object import decode_object
from bearerguard._limits import MAX_NUMERIC_DATE, MAX_TOKEN_BYTES
from bearerguard.errors import AuthError
from bearerguard.observe import on_one_line
from bearerguard.provider import Provider
from bearerguard.request import Incoming
from bearerguard.rules import Rule
from bearerguard.token import AccessToken

__all__: list[str] = []

_LONGEST = 200
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]*(?:\.[\w-]*)*")


class Cause(NamedTuple):
    """What has probably happened, in one sentence, and what to do."""

    sentence: str
    advice: str


class Situation(msgspec.Struct, frozen=True):
    """All that an explanation is made of.

    Attributes:
        text: what was presented as the token; empty without one.
        header: the members of its header, unverified.
        claims: its claims; of an accepted token the verified ones.
        proof: the claims of the DPoP proof beside it, unverified.
        error: why it is refused; None where it is accepted.
        is_verified: whether its signature was verified, or its provider has vouched for it.
        is_opaque: whether its provider is asked about it, and nothing of it is read here.
        provider: whose token it is, or claims to be; None where that is not known.
        providers: those of the server; empty where a function says whom to trust.
        horizon: the seconds after which a token is too old; None where revocations are not asked about.
        trouble: why its provider could not be asked, where it could not.
        now: in seconds since 1970, by the server's clock.
        request: which presents it, if one does.
        resource: the URL of the API, where the server knows it.
        rule: what is asked of it beside.
        token: the verified token.
    """

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]
    proof: dict[str, Any]
    error: AuthError | None
    is_verified: bool
    is_opaque: bool
    provider: Provider | None
    providers: tuple[Provider, ...]
    horizon: float | None
    trouble: str | None
    now: float
    request: Incoming | None
    resource: str | None
    rule: Rule | None
    token: AccessToken | None

    def is_refused_for(self, *reasons: str) -> bool:
        """Whether it is refused, for one of these reasons."""
        return self.error is not None and self.error.reason in reasons

    @property
    def is_unread(self) -> bool:
        """Whether it is an opaque token that was refused: its claims have stayed with who was asked."""
        return self.is_opaque and self.token is None and not self.header

    @property
    def trusted(self) -> tuple[Provider, ...]:
        """The provider whose token it is; all of them where that is not known."""
        return self.providers if self.provider is None else (self.provider,)

    @property
    def issuers(self) -> tuple[str, ...]:
        """Every issuer that is configured."""
        return tuple(
            issuer
            for provider in self.providers
            for issuer in (provider.issuer, *provider.issuer_aliases)
            if issuer is not None
        )


def audience_of(situation: Situation) -> str:
    """Return the first audience that is configured, as it may stand in a sentence."""
    audiences = [name for provider in situation.trusted for name in provider.audiences]
    return shown(audiences[0]) if audiences else "this API"


def parts_of(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of what may be a JWT, verified or not; empty where they cannot be read."""
    segments = text.split(".")
    if len(segments) not in (3, 5) or len(text) > MAX_TOKEN_BYTES:
        return {}, {}
    return _object(segments[0]), _object(segments[1]) if len(segments) == 3 else {}


def _object(segment: str) -> dict[str, Any]:
    try:
        return decode_object(base64url.decode(segment.rstrip("=").encode("ascii", "replace")))
    except ValueError:
        return {}


def shown(value: Any) -> str:
    r"""Return a value as it may stand in a report: on one line, escaped, bounded, and never a token.

    Examples:
        >>> shown("https://login.example\n")
        "'https://login.example\\n'"
    """
    text: str = on_one_line(repr(value))
    text = _JWT.sub("(a token)", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def date_in(claims: dict[str, Any], name: str) -> float | None:
    """Return a claim that is a date, in seconds since 1970; None where it is not one."""
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if -MAX_NUMERIC_DATE <= value <= MAX_NUMERIC_DATE else None


def written(date: float) -> str:
    """Return a date as people write it.

    Examples:
        >>> written(1_700_000_000)
        '2023-11-14 22:13:20 UTC'
    """
    try:
        return f"{datetime.fromtimestamp(date, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):  # a year that no calendar has
        return "a date beyond the year 9999"


def duration(seconds: float) -> str:
    """Return a length of time in words of two units at most.

    Examples:
        >>> duration(7_320)
        '2 h 2 min'
    """
    whole = round(abs(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 120:
        return f"{minutes} min {whole % 60} s" if whole % 60 else f"{minutes} min"
    hours = minutes // 60
    if hours < 48:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{hours // 24} days"
