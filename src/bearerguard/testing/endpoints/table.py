"""Every endpoint that an issuer of tests has, and the way of a request to one of them."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from bearerguard.testing.endpoints import authorization, introspection, key_set, token
from bearerguard.testing.endpoints.cacheable import cacheable
from bearerguard.testing.endpoints.endpoint import Endpoint, State
from bearerguard.testing.endpoints.metadata import metadata, well_known
from bearerguard.testing.exchange import Request, Response

__all__ = ["respond"]

ENDPOINTS = (key_set.ENDPOINT, authorization.ENDPOINT, token.ENDPOINT, introspection.ENDPOINT)

# Scripts of any origin may read what is not a page: nothing is sent there that a browser adds by itself.
_ANY_ORIGIN = ("Access-Control-Allow-Origin", "*")
_PREFLIGHT = (
    _ANY_ORIGIN,
    ("Access-Control-Allow-Methods", "GET, POST"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP, X-Requested-With"),
)


def respond(request: Request, state: State) -> Response:
    """The issuer's answer to `request`."""
    path = urlsplit(state.issuer).path.rstrip("/")
    routes: dict[str, Endpoint] = {f"{path}{endpoint.path}": endpoint for endpoint in ENDPOINTS}
    routes |= dict.fromkeys(well_known(state), _METADATA)
    endpoint = routes.get(request.path)
    if endpoint is None:
        return Response.json(404, {"error": "not_found"})
    if request.method == "OPTIONS" and not endpoint.is_a_page:
        return Response(204, _PREFLIGHT)
    if request.method not in endpoint.methods:
        return Response(405, (("Allow", ", ".join(endpoint.methods)),))
    response = endpoint.answer(request, state)
    return response if endpoint.is_a_page else replace(response, headers=(*response.headers, _ANY_ORIGIN))


def _answer_metadata(request: Request, state: State) -> Response:
    return cacheable(request, state, metadata(state, ENDPOINTS))


_METADATA = Endpoint("", ("GET",), _answer_metadata, called="")  # at two paths, and in no document
