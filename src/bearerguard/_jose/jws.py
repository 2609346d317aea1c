"""Signed texts in the compact serialization (RFC 7515 section 7.1), and the header that opens each.

Takes the text apart and reads three members of the header (section 4); the rest is refused or ignored. Keys
and addresses that a header carries (`jwk`, `jku`, `x5u`, `x5c`, `x5t`) are never looked at: trust goes from
configuration to the text, not back. The JSON serializations and JWE are refused. Checks no signature.
"""

from __future__ import annotations

from typing import NamedTuple

from bearerguard._jose import base64url
from bearerguard._jose.jose_error import JoseError
from bearerguard._jose.json_object import decode_object, decode_small_object
from bearerguard._limits import MAX_CACHED_HEADER_BYTES, MAX_KID_CHARACTERS

_DOT = ord(".")  # a number is found in a fifth of the time that a text of one character takes


def split(text: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return header, payload and signature, still encoded, and the signing input (the first two).

    Who decodes them finds what is not ASCII.

    Raises:
        JoseError: `malformed`, or `encrypted` for the five parts of a JWE.
    """
    signing_input, _, signature = text.rpartition(b".")
    header, dot, payload = signing_input.partition(b".")
    if dot and _DOT not in payload:
        return header, payload, signature, signing_input
    parts = text.split(b".", 3)
    if len(parts) == 1:
        raise unreadable(text, " is not a JWT: it has no dots (an opaque token, perhaps)")
    if len(parts) == 4 and parts[3].count(b".") == 1:
        raise JoseError("encrypted", " is encrypted (JWE), which is not supported")
    raise unreadable(text, " is not a JWT: it does not have three parts")


def unreadable(text: bytes, why: str) -> JoseError:
    """The refusal of a text, or a part of one, that cannot be read; where it is not ASCII, that is why."""
    return JoseError("malformed", why if text.isascii() else " contains non-ASCII characters")


class Header(NamedTuple):
    """What the checks need of a header. `typ` is lower case and without `application/`, None if absent."""

    alg: str
    kid: str | None
    typ: str | None


def parse_header(segment: bytes) -> Header:
    """Return the header in the first part of a signed text.

    `crit` is refused whatever it names, as nothing it could name is understood here (section 4.1.11). `zip`
    is of encrypted texts (RFC 7516, section 4.1.3) and means nothing in a signed one: it is ignored.

    Raises:
        JoseError: `malformed`, `critical`, or `type` for a nested text.
    """
    try:
        text = base64url.decode(segment)
        # No header needs more arrays and objects than may nest; a short one with many brackets may be read.
        members = decode_small_object(text)
        if members is None and len(text) <= MAX_CACHED_HEADER_BYTES:
            members = decode_object(text)
    except ValueError:
        members = None
    if members is None:
        raise unreadable(segment, "'s header is not a base64url JSON object")
    alg, kid, typ = members.get("alg"), members.get("kid"), members.get("typ")
    if not isinstance(alg, str):
        raise JoseError("malformed", "'s header has no alg, or its alg is not a string")
    if "crit" in members:
        raise JoseError("critical", "'s header has a critical extension that is not supported")
    for unsupported in ("b64", "enc"):
        if unsupported in members:
            raise JoseError("critical", f"'s header has {unsupported!r}, which is not supported")
    if kid is not None and (kid.__class__ is not str or len(kid) > MAX_KID_CHARACTERS):
        raise JoseError("malformed", "'s kid is not a string, or too long")
    if typ is not None and typ.__class__ is not str:
        raise JoseError("malformed", "'s typ is not a string")
    if "cty" in members:
        _refuse_nested(members["cty"])
    return Header(alg, kid, None if typ is None else media_type(typ))


def media_type(value: str) -> str:
    """Return a `typ` or `cty` as it is compared (RFC 7515, section 4.1.9).

    Examples:
        >>> media_type("application/AT+JWT")
        'at+jwt'
    """
    return value.lower().removeprefix("application/")


def _refuse_nested(cty: object) -> None:
    """`cty: JWT` announces a signed text inside this one (RFC 7519, section 5.2)."""
    if not isinstance(cty, str) or media_type(cty) == "jwt":
        raise JoseError("type", " contains another token, which is not supported")
