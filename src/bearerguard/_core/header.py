"""The JOSE header of a token (RFC 7515 section 4): three members matter, the rest is refused or ignored.

Keys and addresses that a header carries (`jwk`, `jku`, `x5u`, `x5c`, `x5t`) are never looked at: trust goes
from configuration to token, not back. `crit` is refused whatever it names, as nothing it could name is
understood here (section 4.1.11).
"""

from __future__ import annotations

from typing import NamedTuple

from bearerguard._core import base64url
from bearerguard._core.json_object import decode_object
from bearerguard._core.limits import MAX_KID_CHARACTERS
from bearerguard.errors import InvalidToken


class Header(NamedTuple):
    """What the checks need of a header. `typ` is lower case and without `application/`, None if absent."""

    alg: str
    kid: str | None
    typ: str | None


def parse_header(segment: bytes) -> Header:
    """Return the header in the first part of a token.

    Raises:
        InvalidToken: `malformed`, `critical`, or `type` for a nested token.
    """
    try:
        members = decode_object(base64url.decode(segment))
    except ValueError:
        raise InvalidToken("malformed", "The token's header is not a base64url JSON object.") from None
    alg, kid, typ = members.get("alg"), members.get("kid"), members.get("typ")
    if not isinstance(alg, str):
        raise InvalidToken("malformed", "The token's header has no alg, or one that is no string.")
    if "crit" in members:
        raise InvalidToken("critical", "The token's header has a critical extension that is not supported.")
    for unsupported in ("b64", "zip", "enc"):
        if unsupported in members:
            raise InvalidToken("critical", f"The token's header has {unsupported!r}, which is not supported.")
    if kid is not None and (kid.__class__ is not str or len(kid) > MAX_KID_CHARACTERS):
        raise InvalidToken("malformed", "The token's kid is no string, or too long.")
    if typ is not None and typ.__class__ is not str:
        raise InvalidToken("malformed", "The token's typ is no string.")
    if "cty" in members:
        _refuse_nested(members["cty"])
    return Header(alg, kid, None if typ is None else media_type(typ))


def media_type(value: str) -> str:
    """Return a `typ` or `cty` as it is compared (RFC 7515, section 4.1.9).

    Example:
        >>> media_type("application/AT+JWT")
        'at+jwt'
    """
    return value.lower().removeprefix("application/")


def _refuse_nested(cty: object) -> None:
    """`cty: JWT` announces a token inside the token (RFC 7519, section 5.2)."""
    if not isinstance(cty, str) or media_type(cty) == "jwt":
        raise InvalidToken("type", "Nested tokens are not supported.")
