"""A rule as an `auth=` of Ninja, for sync and async operations alike.

Ninja asks an operation's ways to authenticate in turn, until one returns something that is true. A request
without a token is left to the others; a token that is bad, or does not fulfil the rule, ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import Any, Final

from django.http import HttpRequest
from ninja.security.http import HttpAuthBase
from ninja.throttling import BaseThrottle

from bearerguard.django.base import DjangoGuard
from bearerguard.django.serving import begin
from bearerguard.errors import AuthError, MissingCredentials
from bearerguard.guard import Demand
from bearerguard.ninja.refusal import RefusedRequest, note_refusal
from bearerguard.token import AccessToken

__all__ = ["Nobody"]


class Nobody:
    """What `request.auth` is where a token is optional and a request has none: Ninja wants something true.

    Its text tells addresses apart, since Ninja's throttles count by it.
    """

    subject: Final = None
    client_id: Final = None
    scopes: Final[frozenset[str]] = frozenset()
    roles: Final[frozenset[str]] = frozenset()
    permissions: Final[frozenset[str]] = frozenset()
    claims: Final[Mapping[str, Any]] = MappingProxyType({})

    def __init__(self, address: str | None = None) -> None:
        self._address = address

    def __repr__(self) -> str:
        return "Nobody()" if self._address is None else f"Nobody({self._address!r})"


Admitted = AccessToken | Nobody | None


class BearerAuth(HttpAuthBase):
    """Admits requests that meet a demand. Each demand makes a subclass, which Ninja names a scheme after."""

    openapi_scheme = "bearer"
    openapi_bearerFormat = "JWT"  # noqa: N815 - the name that the document has

    def __init__(self, guard: DjangoGuard, demand: Demand) -> None:
        super().__init__()
        self.guard = guard
        self.demand = demand
        self.is_async = True  # or Ninja would ask in a thread, for each request to an async operation

    def __call__(self, request: HttpRequest) -> Admitted | Awaitable[Admitted]:
        """Return the token of a request; in a task, something that waits for it."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._admit(request)
        return self._aadmit(request)

    def _admit(self, request: HttpRequest) -> Admitted:
        begin(request)
        try:
            return self.guard.admit_request(request, self.demand) or _nobody(request)
        except AuthError as error:
            return self._refused(request, error)

    async def _aadmit(self, request: HttpRequest) -> Admitted:
        begin(request)
        try:
            return await self.guard.aadmit_request(request, self.demand) or _nobody(request)
        except AuthError as error:
            return self._refused(request, error)

    def _refused(self, request: HttpRequest, error: AuthError) -> Admitted:
        refusal = note_refusal(request, RefusedRequest(error, self.guard.answer(error)))
        if isinstance(error, MissingCredentials):
            return None
        raise refusal from error


def _nobody(request: HttpRequest) -> Nobody:
    return Nobody(BaseThrottle().get_ident(request))
