"""What a FastAPI route asks for: a demand as a dependency, those of a route together, and their refusal.

It verifies nothing itself, and knows nothing of how FastAPI is made to ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import and_
from typing import Any

from fastapi import HTTPException
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.openapi.models import SecurityBase as SecurityBaseModel
from fastapi.security.base import SecurityBase
from starlette.exceptions import WebSocketException
from starlette.requests import HTTPConnection

from bearerguard._asgi import POLICY_VIOLATION, ASGIGuard, ASGIRequest, Scope, can_deny
from bearerguard.answer import Answer
from bearerguard.errors import AuthError
from bearerguard.fastapi.document import scheme_name
from bearerguard.guard import BaseGuard, Demand
from bearerguard.rules import Rule, authenticated
from bearerguard.starlette.serving import begin
from bearerguard.token import AccessToken

__all__ = ["ASKED", "RefusedRequest", "Requirement", "requirements_of_route"]

ASKED = "bearerguard.fastapi.asked"
"""In a scope as soon as one of its route's requirements has been asked."""


class RefusedRequest(HTTPException):
    """A refusal as FastAPI raises it. Without `guard.install(app)`, FastAPI answers it in its own way.

    Attributes:
        error: the refusal.
        answer: what the guard that refused answers.
    """

    def __init__(self, error: AuthError, answer: Answer) -> None:
        super().__init__(error.status, error.description, answer.joined_refusal_headers)
        self.error = error
        self.answer = answer


_ANY_TOKEN = Demand(authenticated, is_constant=True)


class Requirement(SecurityBase):
    """A demand as a dependency, and as a security scheme. Made by `Guard.requires` and `Guard.optional`.

    Attributes:
        guard: whose it is.
        demand: what a request has to meet.
    """

    def __init__(self, guard: ASGIGuard, demand: Demand) -> None:
        self.model: SecurityBaseModel = HTTPBearerModel(bearerFormat="JWT")
        self.guard = guard
        self.demand = demand
        self._any_token = guard.demand(optional=True) if demand.optional else _ANY_TOKEN

    @property
    def scheme_name(self) -> str:  # type: ignore[override]
        """The name of its security scheme."""
        return scheme_name(self.guard, self.demand)

    async def __call__(self, connection: HTTPConnection) -> AccessToken | None:
        """Return the verified token of the request; None only where it is optional.

        Raises:
            RefusedRequest: the request does not meet the demand.
            WebSocketException: likewise, where the server can send no answer to the opening of a WebSocket.
        """
        scope = connection.scope
        scope[ASKED] = True
        guard, demand = self.guard, self.demand
        guard.check_opening(scope)
        request = begin(scope)
        asked = ASGIRequest(scope)
        try:
            token = await guard.aadmit(asked, self._any_token)
            # The rule is asked apart: its refusal is for all that the route asks for.
            if token is not None and not demand.allows(token):
                guard.allow(_rule_of_route(scope, guard, demand.rule), token, request=asked)
        except AuthError as error:
            error.rule = _rule_of_route(scope, guard, demand.rule)
            if scope["type"] == "websocket" and not can_deny(scope):
                raise WebSocketException(POLICY_VIOLATION, error.description) from error
            raise RefusedRequest(error, guard.answer(error)) from error
        scope["bearerguard.token"] = request.token = token
        return token


def requirements_of_route(scope: Scope, overrides: Mapping[Any, Any]) -> Iterator[Requirement]:
    """What the dependencies of a request's route ask for, its routers' and the application's included.

    Args:
        scope: the request's.
        overrides: dependencies in whose place the application has put others; they are left out, with all
            that they stand on.
    """
    # Where a router is included, newer FastAPI keeps what results apart from the router's own route.
    context = scope.get("fastapi", {}).get("effective_route_context")
    dependants = [getattr(place, "dependant", None) for place in (context, scope.get("route"))]
    pending = next(([dependant] for dependant in dependants if dependant is not None), [])
    while pending:
        dependant = pending.pop()
        pending.extend(one for one in reversed(dependant.dependencies) if one.call not in overrides)
        if isinstance(dependant.call, Requirement):
            yield dependant.call


def _rule_of_route(scope: Scope, guard: BaseGuard, own: Rule) -> Rule:
    """What all dependencies of the route ask for together: its own, its routers' and the application's.

    The challenge is for all of it, or a client would have to come back for each dependency (RFC 6750,
    section 3: "scope" is what is needed to access the resource).
    """
    requirements = requirements_of_route(scope, {})
    rules = (one.demand.rule for one in requirements if one.guard is guard and not one.demand.optional)
    return reduce(and_, dict.fromkeys([own, *rules]))
