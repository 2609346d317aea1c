"""The `Guard` for FastAPI: rules as dependencies. It verifies nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import and_
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.openapi.models import SecurityBase as SecurityBaseModel
from fastapi.params import Security
from fastapi.security.base import SecurityBase
from starlette.exceptions import WebSocketException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from bearerguard._asgi import POLICY_VIOLATION, ASGIRequest, Scope, can_deny
from bearerguard.context import note
from bearerguard.errors import AuthError
from bearerguard.fastapi.document import Document, scheme_name
from bearerguard.guard import Demand
from bearerguard.rules import Rule, authenticated
from bearerguard.starlette.base import StarletteGuard
from bearerguard.token import AccessToken

__all__ = ["Guard", "RefusedRequest", "Requirement"]


class RefusedRequest(HTTPException):
    """A refusal as FastAPI raises it. Without `guard.install(app)`, FastAPI answers it in its own way.

    Attributes:
        error: the refusal.
    """

    def __init__(self, error: AuthError, headers: dict[str, str]) -> None:
        super().__init__(error.status, error.description, headers)
        self.error = error


class Requirement(SecurityBase):
    """A demand as a dependency, and as a security scheme. Made by `Guard.requires` and `Guard.optional`.

    Attributes:
        guard: whose it is.
        demand: what a request has to meet.
    """

    def __init__(self, guard: Guard, demand: Demand) -> None:
        self.model: SecurityBaseModel = HTTPBearerModel(bearerFormat="JWT")
        self.guard = guard
        self.demand = demand

    @property
    def scheme_name(self) -> str:  # type: ignore[override]
        """The name of its security scheme."""
        return scheme_name(self.guard, self.demand)

    async def __call__(self, connection: HTTPConnection) -> AccessToken | None:
        """Return the verified token of the request; None only where it is optional."""
        scope = connection.scope
        try:
            return await self._token(scope)
        except AuthError as error:
            if scope["type"] == "websocket" and not can_deny(scope):
                raise WebSocketException(POLICY_VIOLATION, error.description) from error
            headers: dict[str, str] = {}
            for name, value in self.guard.answer(error).refusal_headers:
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
            raise RefusedRequest(error, headers) from error

    async def _token(self, scope: Scope) -> AccessToken | None:
        note(scope, None)
        guard, rule = self.guard, self.demand.rule
        try:
            token = await guard.aadmit(ASGIRequest(scope), Demand(authenticated, self.demand.optional))
        except AuthError as error:
            error.rule = _rule_of_route(scope, guard, rule)
            raise
        if token is not None and not rule.allows(token):
            guard.allow(_rule_of_route(scope, guard, rule), token)
        scope["bearerguard.token"] = token
        note(scope, token)
        return token


class Guard(StarletteGuard):
    """Protects FastAPI routes by rules.

    Example:
        ```python
        guard = Guard(ResourceServer(Provider("https://login.example", audience="https://api.example")))
        guard.install(app)


        @app.get("/orders")
        async def orders(token: Annotated[AccessToken, guard.requires(scope("orders:read"))]): ...
        ```
    """

    def requires(self, rule: Rule | None = None) -> Any:
        """Return a dependency whose value is the `AccessToken` of a request that fulfils `rule`.

        For `Annotated[AccessToken, guard.requires(...)]`, and for `dependencies=[...]` of a route, a router
        or an application; on HTTP routes and WebSockets.

        Args:
            rule: what the token must fulfil; any valid token by default.
        """
        demand = self.demand(rule)
        return Security(Requirement(self, demand), scopes=sorted(demand.rule.scopes()))

    def optional(self) -> Any:
        """Return a dependency whose value is the `AccessToken`, or None; a bad token is refused."""
        return Security(Requirement(self, self.demand(optional=True)))

    def install(
        self,
        app: FastAPI,
        *,
        docs_client_id: str | None = None,
        docs_scopes: Mapping[str, str] | None = None,
    ) -> FastAPI:
        """Have `app` answer refusals as the guard does, serve its metadata, and document its security.

        The OpenAPI document gets the authorization code flow with PKCE where a provider's metadata names its
        endpoints, so that `/docs` can log in; a provider whose keys were given is documented as HTTP Bearer.

        Args:
            app: the application.
            docs_client_id: the client that `/docs` logs in as: a public client with PKCE, whose redirect
                URI is the application's `/docs/oauth2-redirect`.
            docs_scopes: the scopes that `/docs` can ask for, each with a description; by default those of
                the rules, as they stand in tokens. Some providers call them differently when asked for.
        """
        self._follow(app)
        app.add_exception_handler(RefusedRequest, self._answer_refused)
        settings = {"usePkceWithAuthorizationCodeGrant": True, **(app.swagger_ui_init_oauth or {})}
        if docs_client_id is not None:
            settings["clientId"] = docs_client_id
        app.swagger_ui_init_oauth = settings
        Document(self, app, docs_scopes).install()
        return app

    async def _answer_refused(self, _: Request, refused: Exception) -> Response:
        assert isinstance(refused, RefusedRequest)  # noqa: S101 - it is registered for nothing else
        return self.response(refused.error)


def _rule_of_route(scope: Mapping[str, Any], guard: Guard, own: Rule) -> Rule:
    """What all dependencies of the route ask for together: its own, its routers' and the application's.

    The challenge is for all of it, or a client would have to come back for each dependency (RFC 6750,
    section 3: "scope" is what is needed to access the resource).
    """
    return reduce(and_, _rules_of_route(scope, guard), own)


def _rules_of_route(scope: Mapping[str, Any], guard: Guard) -> Iterator[Rule]:
    # Where a router is included, newer FastAPI keeps what results apart from the router's own route.
    context = scope.get("fastapi", {}).get("effective_route_context")
    dependants = [getattr(place, "dependant", None) for place in (context, scope.get("route"))]
    pending = next(([dependant] for dependant in dependants if dependant is not None), [])
    while pending:
        dependant = pending.pop()
        pending.extend(dependant.dependencies)
        requirement = dependant.call
        if (
            isinstance(requirement, Requirement)
            and requirement.guard is guard
            and not requirement.demand.optional
        ):
            yield requirement.demand.rule
