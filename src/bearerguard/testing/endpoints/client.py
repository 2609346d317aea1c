"""What endpoints that clients ask have in common: the form in the body, and who has sent it."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

from bearerguard.testing.client_assertions import ASSERTION_TYPE
from bearerguard.testing.endpoints.endpoint import State
from bearerguard.testing.endpoints.refused import Refused
from bearerguard.testing.exchange import Request

__all__ = ["CLIENT_METHODS", "authenticated_client", "form_of"]

CLIENT_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")


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


def authenticated_client(request: Request, form: Mapping[str, str], state: State) -> str:
    """The client that authenticated itself, in one way and not in two (RFC 6749 section 2.3)."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if bool(scheme) + ("client_secret" in form) + ("client_assertion" in form) > 1:
        raise Refused("invalid_request", "A client authenticates itself in one way, not in two.")
    if "client_assertion" in form:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise Refused("invalid_client", "This issuer knows no such type of assertion.", status=401)
        return state.client_of_assertion(form["client_assertion"])
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
    expected = state.clients.get(client_id)
    if expected is None or not hmac.compare_digest(expected.encode(), secret.encode()):
        raise Refused("invalid_client", "Unknown client or wrong secret.", status=401)
    return client_id
