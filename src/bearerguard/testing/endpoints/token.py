"""The token endpoint (RFC 6749 section 3.2): the grants of client credentials and of authorization codes.

A token is bound to the key of the DPoP proof with which it was asked for (RFC 9449 section 5).
"""

from __future__ import annotations

from collections.abc import Mapping

from bearerguard.testing.endpoints.client import CLIENT_METHODS, authenticated_client, form_of
from bearerguard.testing.endpoints.endpoint import Endpoint, State
from bearerguard.testing.endpoints.refused import Refused
from bearerguard.testing.exchange import Request, Response
from bearerguard.testing.token_proofs import PROOF_ALGORITHMS

__all__ = ["ENDPOINT"]

_NO_STORE = ("Cache-Control", "no-store")  # RFC 6749 section 5.1


def _answer(request: Request, state: State) -> Response:
    try:
        form = form_of(request)
        if form.get("grant_type") == "authorization_code":
            login = state.authorization_code.redeem(form, request.headers)
            _check_target(form, state)
            key = state.key_of_proof(request.headers.get("dpop"))
            return Response.json(200, state.issue_login(login, key), _NO_STORE)
        client_id = authenticated_client(request, form, state)
        grant_type = form.get("grant_type")
        if grant_type is None:
            raise Refused("invalid_request", "There is no grant_type in the request.")
        if grant_type != "client_credentials":
            raise Refused("unsupported_grant_type", "This issuer does not know that grant.")
        _check_target(form, state)
        key = state.key_of_proof(request.headers.get("dpop"))
        return Response.json(200, state.issue(client_id, form.get("scope"), key), _NO_STORE)
    except Refused as refused:
        return refused.response


def _check_target(form: Mapping[str, str], state: State) -> None:
    """The resource that a token is asked for must be one of this issuer's (RFC 8707 section 2)."""
    if form.get("resource", state.audiences[0]) not in state.audiences:
        raise Refused("invalid_target", "This issuer does not issue tokens for that resource.")


ENDPOINT = Endpoint(
    "/token",
    ("POST",),
    _answer,
    called="token_endpoint",
    metadata={
        "token_endpoint_auth_methods_supported": [*CLIENT_METHODS, "none"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "dpop_signing_alg_values_supported": list(PROOF_ALGORITHMS),  # RFC 9449 section 5.1
    },
)
