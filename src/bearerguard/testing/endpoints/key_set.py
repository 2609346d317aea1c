"""Where the key set is published (RFC 7517 section 5)."""

from __future__ import annotations

from bearerguard.testing.endpoints.cacheable import cacheable
from bearerguard.testing.endpoints.endpoint import Endpoint, State
from bearerguard.testing.exchange import Request, Response

__all__ = ["ENDPOINT"]


def _answer(request: Request, state: State) -> Response:
    return cacheable(request, state, state.key_set)


ENDPOINT = Endpoint("/jwks", ("GET",), _answer, called="jwks_uri")
