"""The compact serialization (RFC 7515 section 7.1): three parts and two dots, told apart from look-alikes.

Only takes text apart. The JSON serializations and JWE are refused here; nothing is decoded.
"""

from __future__ import annotations

from bearerguard._core.limits import MAX_TOKEN_BYTES
from bearerguard.errors import InvalidToken


def encoded(token: str) -> bytes:
    """Return the text of a token as bytes.

    Raises:
        InvalidToken: `malformed` for what is no text, or `too_large`.
    """
    if token.__class__ is not str:
        raise InvalidToken("malformed", "The token is no text.")
    if len(token) > MAX_TOKEN_BYTES:  # before it is copied
        raise InvalidToken("too_large", "The token is too long.")
    # What is beyond ASCII is in no token, and refused by `split`; half a character as well.
    return token.encode(errors="surrogatepass")


def split(token: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return header, payload and signature, still encoded, and the signing input (the first two).

    Raises:
        InvalidToken: `malformed`, also beyond ASCII, or `encrypted` for the five parts of a JWE.
    """
    if not token.isascii():
        raise InvalidToken("malformed", "The token has characters that no token has.")
    signing_input, _, signature = token.rpartition(b".")
    header, dot, payload = signing_input.partition(b".")
    if dot and b"." not in payload:
        return header, payload, signature, signing_input
    parts = token.split(b".", 3)
    if len(parts) == 1:
        raise InvalidToken("malformed", "The token is not a JWT: it has no dots (an opaque token, perhaps).")
    if len(parts) == 4 and parts[3].count(b".") == 1:
        raise InvalidToken("encrypted", "Encrypted tokens (JWE) are not supported.")
    raise InvalidToken("malformed", "The token is not a JWT: it does not have three parts.")
