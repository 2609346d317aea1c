"""Whether a request came with the certificate that its token is bound to (RFC 8705, section 3).

Asked only about a token that is bound to one. It believes no header field but that of a proxy which
configuration names, and decides nothing about the certificate itself.
"""

from __future__ import annotations

from bearerguard._core.certificate_field import thumbprint_in, thumbprint_of
from bearerguard._core.peers import is_among, names_itself
from bearerguard.certificate import ClientCertificate
from bearerguard.errors import InvalidToken
from bearerguard.request import Incoming, Request

PEER_UNKNOWN = (
    "A client certificate in a header field is not believed: the other end of the connection is not among "
    "the peers of ClientCertificate.from_proxy(...)."
)
PEER_FORWARDED = (
    "A client certificate in a header field is not believed: what the server gives as the address of its "
    "peer also stands in X-Forwarded-For or Forwarded, where a client may have put it. Start uvicorn with "
    "--no-proxy-headers, and use no ProxyFix."
)


def prove_certificate(bound_to: str, request: Incoming, source: ClientCertificate | None) -> None:
    """The request came with the certificate that `x5t#S256` names (RFC 8705, section 3).

    Args:
        bound_to: what the token's `cnf` names; empty where it is malformed.
        request: what presents the token.
        source: where certificates come from; None where the server was not told.

    Raises:
        InvalidToken: `sender_constrained` where nobody could know; `invalid_claim`; `certificate_missing`;
            `certificate` for another one, and for one that cannot be read.
    """
    try:
        shown = _shown(request, source)
    except ValueError:
        raise InvalidToken("certificate", "The client certificate cannot be read.") from None
    if not bound_to:
        raise InvalidToken("invalid_claim", "The token's 'cnf' claim is malformed.")
    if shown is None:
        raise _missing()
    if shown != bound_to:
        raise InvalidToken("certificate", "The token is bound to another client certificate.")


def _shown(request: Incoming, source: ClientCertificate | None) -> str | None:
    """The certificate that was shown; None for none, and for what a stranger writes into the proxy's field.

    Raises:
        InvalidToken: nobody could know, or whoever says it is not believed.
        ValueError: it cannot be read, or stands there twice.
    """
    if isinstance(request, Request) and request.certificate is not None:
        return thumbprint_of(request.certificate)
    if source is None:
        raise InvalidToken("sender_constrained", "The token is bound to a key, and cannot be used as Bearer.")
    if source.field_format is None:
        certificate = request.certificate
        return None if certificate is None else thumbprint_of(certificate)
    values = request.values(str(source.header).encode())
    if not values:
        return None
    hint = why_not_believed(request, source)
    if hint is not None:
        raise _missing(hint)
    (value,) = values
    return thumbprint_in(value, source.field_format)


def why_not_believed(request: Incoming, source: ClientCertificate) -> str | None:
    """Why a header field of the request is not believed; None where it is.

    A server that puts an address of `X-Forwarded-For` in the place of its peer's lets a client choose it. So
    an address that stands there too is not believed, whoever wrote it.
    """
    peer = request.peer
    if names_itself(peer, request.values(b"x-forwarded-for"), request.values(b"forwarded")):
        return PEER_FORWARDED
    return None if is_among(peer, source.peers) else PEER_UNKNOWN


def _missing(hint: str | None = None) -> InvalidToken:
    error = InvalidToken(
        "certificate_missing", "The token is bound to a client certificate, and none was shown."
    )
    error.hint = hint
    return error
