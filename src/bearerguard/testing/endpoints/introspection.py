"""The introspection endpoint (RFC 7662), which signs its answers for those who ask for that (RFC 9701)."""

from __future__ import annotations

from collections.abc import Mapping

from bearerguard.testing.endpoints.client import CLIENT_METHODS, authenticated_client, form_of
from bearerguard.testing.endpoints.endpoint import Endpoint, State
from bearerguard.testing.endpoints.refused import Refused
from bearerguard.testing.exchange import Request, Response
from bearerguard.testing.signing_keys import ALGORITHMS, key_type_of

__all__ = ["ENDPOINT", "SIGNED"]

SIGNED = "application/token-introspection+jwt"  # RFC 9701 section 4
_NO_STORE = ("Cache-Control", "no-store")


def _answer(request: Request, state: State) -> Response:
    try:
        form = form_of(request)
        token = form.get("token")
        client_id = _who_asks(request, form, state)
        if token is None:
            raise Refused("invalid_request", "There is no token in the request.")
    except Refused as refused:
        return refused.response
    answer = state.introspect(token)
    wanted = [media_range.partition(";")[0].strip() for media_range in _accepted(request).split(",")]
    if SIGNED not in wanted:
        return Response.json(200, answer, _NO_STORE)
    signed = state.sign_answer(answer, client_id)
    return Response(200, (("Content-Type", SIGNED), _NO_STORE), signed.encode())


def _accepted(request: Request) -> str:
    return request.headers.get("accept", "").lower()


def _who_asks(request: Request, form: Mapping[str, str], state: State) -> str:
    """The client that asks: by its own credentials, or by an access token of its own (section 2.1)."""
    scheme, _, own = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return authenticated_client(request, form, state)
    # Whoever finds a token could ask about it with that very token, and so scan for others (section 4).
    claims = {} if own == form.get("token") else state.introspect(own)
    client_id = claims.get("sub")
    if client_id != claims.get("client_id") or client_id not in state.clients:
        raise Refused("invalid_token", "The token is not one that a client got for itself.", status=401)
    return str(client_id)


ENDPOINT = Endpoint(
    "/introspect",
    ("POST",),
    _answer,
    called="introspection_endpoint",
    metadata={
        "introspection_endpoint_auth_methods_supported": [*CLIENT_METHODS, "bearer"],
        "introspection_signing_alg_values_supported": [
            algorithm for algorithm in ALGORITHMS if key_type_of(algorithm) != "oct"
        ],
    },
)
