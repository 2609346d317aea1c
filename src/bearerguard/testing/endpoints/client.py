"""What endpoints that clients ask have in common: the form in the body, and who has sent it."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from bearerguard.testing.endpoints.refused import Refused
from bearerguard.testing.exchange import Request

__all__ = ["authenticated_client", "form_of"]


def form_of(request: Request) -> dict[str, str]:
    """The form in a request's body; a parameter sent twice makes it invalid (RFC 6749 section 3.2)."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise Refused("invalid_request", "The body must be sent as application/x-www-form-urlencoded.")
    # An empty parameter counts as one that was not sent, and is dropped here (RFC 6749 section 3.2).
    pairs = parse_qsl(request.body.decode("utf-8", "replace"))
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Refused("invalid_request", "A parameter was sent more than once.")
    return form


def authenticated_client(request: Request, form: Mapping[str, str], clients: Mapping[str, str]) -> str:
    """The client that authenticated itself, in the header or in the form, not both (RFC 6749 section 2.3)."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme and "client_secret" in form:
        raise Refused("invalid_request", "A client authenticates itself in one way, not in two.")
    if scheme:
        if scheme.lower() != "basic":
            raise Refused(
                "invalid_client", "A client authenticates itself by HTTP Basic or in the form.", status=401
            )
        try:
            decoded = base64.b64decode(credentials.strip(), validate=True).decode()
        except ValueError:
            decoded = ""
        client_id, _, secret = (unquote_plus(part) for part in decoded.partition(":"))
    else:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    expected = clients.get(client_id)
    if expected is None or not hmac.compare_digest(expected.encode(), secret.encode()):
        raise Refused("invalid_client", "Unknown client or wrong secret.", status=401)
    return client_id
