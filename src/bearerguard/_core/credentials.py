"""The access token out of a request's headers (RFC 6750 section 2.1, RFC 9449 section 7.1), and nowhere else.

Form and query parameters (sections 2.2 and 2.3) are not read: tokens in addresses end up in logs.
"""

from __future__ import annotations

from typing import Final

from bearerguard._limits import MAX_TOKEN_BYTES
from bearerguard.errors import InvalidRequest, InvalidToken, MissingCredentials

BEARER: Final = "Bearer"
"""RFC 6750."""
USUAL: Final = b"Bearer "
"""How nearly every request begins what it presents."""
DPOP: Final = "DPoP"
"""RFC 9449, section 7.1."""


def credentials(values: list[bytes], schemes: tuple[str, ...] = (BEARER,)) -> tuple[str, bytes]:
    """Return the scheme by which a request presents its token, and what it carries as the token.

    The verification finds out whether it is one.

    Args:
        values: those of the `Authorization` fields.
        schemes: which may be used.

    Raises:
        MissingCredentials: `no_credentials`, `other_scheme`, or `proof_required` for Bearer where only DPoP
            will do.
        InvalidRequest: `repeated_header`, or `malformed_header`.

    Examples:
        >>> credentials([b"Bearer mF_9.B5f-4.1JqM"])
        ('Bearer', b'mF_9.B5f-4.1JqM')
    """
    if len(values) != 1:
        if values:
            raise InvalidRequest("repeated_header", "There is more than one Authorization header.")
        raise MissingCredentials("no_credentials", "The Authorization header is missing.")
    given, _, token = values[0].partition(b" ")
    # The scheme is compared in any case (RFC 9110, section 11.1).
    if given == b"Bearer" or given.lower() == b"bearer":
        scheme = BEARER
    elif given.lower() == b"dpop":
        scheme = DPOP
    else:
        scheme = ""
    if scheme not in schemes:
        expected = " or ".join(f"'{name} '" for name in schemes)
        if scheme == BEARER:
            raise MissingCredentials("proof_required", "A Bearer token will not do: use DPoP, with a proof.")
        raise MissingCredentials("other_scheme", f"The Authorization header must start with {expected}.")
    return scheme, token_behind(scheme, token)


def token_behind(scheme: str, rest: bytes) -> bytes:
    """Return the token in what stands behind the scheme, which may be set apart by more than one space.

    Raises:
        InvalidRequest: `malformed_header`, where nothing but spaces follows the scheme.
    """
    token = rest.strip(b" ")
    if not token:
        raise _malformed(scheme, f"There is no token after '{scheme} '.")
    return token


def several_tokens(scheme: str = BEARER, seconds: float | None = None) -> InvalidRequest:
    """The refusal of credentials of which `is_one_token` is not true, and how long it took."""
    error = _malformed(scheme, f"There is more than one token after '{scheme} '.")
    error.seconds = seconds
    return error


def _malformed(scheme: str, description: str) -> InvalidRequest:
    error = InvalidRequest("malformed_header", description)
    error.scheme = scheme
    return error


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
    return token.encode() if token.isascii() else token.encode(errors="surrogatepass")
