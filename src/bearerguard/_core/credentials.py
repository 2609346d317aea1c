"""The bearer token out of a request's headers (RFC 6750 section 2.1), and out of nowhere else.

Form and query parameters (sections 2.2 and 2.3) are not read: tokens in addresses end up in logs.
"""

from __future__ import annotations

from bearerguard._limits import MAX_TOKEN_BYTES
from bearerguard.errors import InvalidRequest, InvalidToken, MissingCredentials


def bearer_token(values: list[bytes]) -> bytes:
    """Return what a request carries as its token; the verification finds out whether it is one.

    Args:
        values: those of the `Authorization` fields.

    Raises:
        MissingCredentials: `no_credentials`, or `other_scheme`.
        InvalidRequest: `repeated_header`, or `malformed_header`.

    Example:
        >>> bearer_token([b"Bearer mF_9.B5f-4.1JqM"])
        b'mF_9.B5f-4.1JqM'
    """
    if len(values) != 1:
        if values:
            raise InvalidRequest("repeated_header", "There is more than one Authorization header.")
        raise MissingCredentials("no_credentials", "The Authorization header is missing.")
    scheme, _, credentials = values[0].partition(b" ")
    # The scheme is compared in any case (RFC 9110, section 11.1).
    if scheme != b"Bearer" and scheme.lower() != b"bearer":
        raise MissingCredentials("other_scheme", "The Authorization header must start with 'Bearer '.")
    credentials = credentials.strip(b" ")
    if not credentials:
        raise InvalidRequest("malformed_header", "There is no token after 'Bearer '.")
    return credentials


def several_tokens() -> InvalidRequest:
    """The refusal of credentials of which `is_one_token` is not true."""
    return InvalidRequest("malformed_header", "There is more than one token after 'Bearer '.")


def is_one_token(credentials: bytes) -> bool:
    """Whether there is one token in the credentials, valid or not.

    A token that is accepted contains nothing that could separate two, so only refused ones are asked.
    """
    return not any(separator in credentials for separator in b" ,\t")


def encoded(token: str) -> bytes:
    """Return the text of a token that a program hands over as bytes.

    Raises:
        InvalidToken: `malformed` for what is not text, or `too_large`.
    """
    if token.__class__ is not str:
        raise InvalidToken("malformed", "The token is not text.")
    if len(token) > MAX_TOKEN_BYTES:  # before it is copied
        raise InvalidToken("too_large", "The token is too long.")
    # The parser refuses characters beyond ASCII, half a character as well.
    return token.encode(errors="surrogatepass")
