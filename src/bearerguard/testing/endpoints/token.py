"""The token endpoint (RFC 6749 section 3.2): the grants of client credentials and of authorization codes."""

from __future__ import annotations

from collections.abc import Mapping

from bearerguard.testing.endpoints.client import authenticated_client, form_of
from bearerguard.testing.endpoints.endpoint import Endpoint, State
from bearerguard.testing.endpoints.refused import Refused
from bearerguard.testing.exchange import Request, Response

__all__ = ["ENDPOINT"]

_NO_STORE = ("Cache-Control", "no-store")  # RFC 6749 section 5.1


def _answer(request: Request, state: State) -> Response:
    try:
        form = form_of(request)
        if form.get("grant_type") == "authorization_code":
            login = state.authorization_code.redeem(form, request.headers)
            _check_target(form, state)
            return Response.json(200, state.issue_login(login), _NO_STORE)
        client_id = authenticated_client(request, form, state.clients)
        grant_type = form.get("grant_type")
        if grant_type is None:
            raise Refused("invalid_request", "There is no grant_type in the request.")
        if grant_type != "client_credentials":
            raise Refused("unsupported_grant_type", "This issuer does not know that grant.")
        _check_target(form, state)
        return Response.json(200, state.issue(client_id, form.get("scope")), _NO_STORE)
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
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
    },
)
