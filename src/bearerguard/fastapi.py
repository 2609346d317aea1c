"""The door for FastAPI: rules as dependencies, which also document themselves.

`guard.requires(rule)` stands where FastAPI wants a dependency; the token is its value, and the route shows up
in the OpenAPI document with its security scheme and scopes. It verifies nothing itself.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.params import Security
from fastapi.security.base import SecurityBase
from starlette.exceptions import HTTPException, WebSocketException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from bearerguard._io.metadata import fetch_metadata
from bearerguard._starlette_guard import Guard as StarletteGuard
from bearerguard.asgi import POLICY_VIOLATION
from bearerguard.errors import AuthError
from bearerguard.openapi import bearer_scheme, oauth2_scheme
from bearerguard.rules import Rule
from bearerguard.server import ResourceServer
from bearerguard.token import AccessToken

_MARK = "bearerguard requirement "
"""Begins the name of a scheme that stands for one requirement, until the document is finished."""
_RETRY_METADATA = 30.0
"""Seconds after which metadata that could not be had is asked for again, by a request for the document."""


class RefusedRequest(HTTPException):
    """A refusal as FastAPI raises it. Without `guard.install(app)`, FastAPI answers it in its own way."""

    def __init__(self, error: AuthError, headers: dict[str, str]) -> None:
        super().__init__(error.status, error.description, headers)
        self.error = error


class Requirement(SecurityBase):
    """A rule as a dependency, and as a security scheme. Made by `Guard.requires` and `Guard.optional`."""

    scheme_name = "bearer"

    def __init__(self, guard: Guard, rule: Rule | None) -> None:
        self.model = HTTPBearerModel(bearerFormat="JWT")
        self.guard = guard
        self.rule = rule
        guard.requirements.append(self)

    def mark(self, number: int) -> None:
        """Take a scheme name by which the guard finds this requirement again in the document."""
        self.scheme_name = f"{_MARK}{number}"

    async def __call__(self, connection: HTTPConnection) -> AccessToken | None:
        """Return the verified token of the request; None only where it is optional."""
        try:
            return await self.guard._admit(connection, self.rule)  # noqa: SLF001 - of the same door
        except AuthError as error:
            if connection.scope["type"] == "websocket":
                raise WebSocketException(POLICY_VIOLATION, error.description) from error
            answer = self.guard.answer(error)
            kept = {name: value for name, value in answer.headers if not name.startswith("Content-")}
            raise RefusedRequest(error, kept) from error


class Guard(StarletteGuard):
    """Protects FastAPI routes by rules.

    Example:
        >>> guard = Guard(ResourceServer(Provider(...)))  # doctest: +SKIP
        >>> guard.install(app)  # doctest: +SKIP
        >>> @app.get("/orders")  # doctest: +SKIP
        ... async def orders(token: Annotated[AccessToken, guard.requires(scope("orders:read"))]): ...
    """

    def __init__(self, server: ResourceServer, **options: Any) -> None:
        super().__init__(server, **options)
        self.requirements: list[Requirement] = []

    def requires(self, rule: Rule | None = None) -> Any:
        """Return a dependency whose value is the `AccessToken` of a request that fulfils `rule`.

        For `Annotated[AccessToken, guard.requires(...)]`, and for `dependencies=[...]` of a route, a router
        or an application; on HTTP routes and WebSockets.
        """
        rule = self.remember(rule)
        return Security(Requirement(self, rule), scopes=sorted(rule.scopes()))

    def optional(self) -> Any:
        """Return a dependency whose value is the `AccessToken`, or None; a bad token is refused."""
        return Security(Requirement(self, None))

    def install(self, app: FastAPI, *, docs_client_id: str | None = None) -> FastAPI:  # type: ignore[override]
        """Have `app` answer refusals as the guard does, serve its metadata, and document its security.

        The OpenAPI document gets the authorization code flow with PKCE where a provider's metadata names its
        endpoints, so that `/docs` can log in; a provider whose keys were given is documented as HTTP Bearer.

        Args:
            app: the application.
            docs_client_id: the client that `/docs` logs in as: a public client with PKCE, whose redirect
                URI is the application's `/docs/oauth2-redirect`.
        """
        super().install(app)
        app.add_exception_handler(RefusedRequest, self._answer_refused)
        _Documentation(self, app).install(docs_client_id)
        return app

    def _answer_refused(self, _: Request, refused: Exception) -> Response:
        assert isinstance(refused, RefusedRequest)  # noqa: S101 - it is registered for nothing else
        return self.response(refused.error)


class _Documentation:
    """The security part of an application's OpenAPI document."""

    def __init__(self, guard: Guard, app: FastAPI) -> None:
        self._guard = guard
        self._app = app
        self._schemes = dict(_named(guard.server.providers))
        self._metadata: dict[str, dict[str, Any]] = {}
        self._asked_at: float | None = None

    def install(self, client_id: str | None) -> None:
        app, original = self._app, self._app.openapi

        def openapi() -> dict[str, Any]:
            if app.openapi_schema is None:
                for number, requirement in enumerate(self._guard.requirements):
                    requirement.mark(number)
                self._describe(original())
            return original()

        app.openapi = openapi  # type: ignore[method-assign]
        settings = {"usePkceWithAuthorizationCodeGrant": True, **(app.swagger_ui_init_oauth or {})}
        if client_id is not None:
            settings["clientId"] = client_id
        app.swagger_ui_init_oauth = settings
        for route in app.router.routes:
            if getattr(route, "path", None) == app.openapi_url and hasattr(route, "app"):
                route.app = self._with_metadata(route.app)

    def _with_metadata(
        self, served: Callable[..., Awaitable[None]]
    ) -> Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]:
        """Have the document wait for metadata, off the event loop, as building it cannot."""

        async def documented(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            await self._ask_for_metadata()
            await served(scope, receive, send)

        return documented

    async def _ask_for_metadata(self) -> None:
        missing = [scheme for scheme in self._schemes if scheme not in self._metadata]
        now = time.monotonic()
        if not missing or (self._asked_at is not None and now < self._asked_at + _RETRY_METADATA):
            return
        self._asked_at = now
        for scheme in missing:
            metadata = await fetch_metadata(self._schemes[scheme])
            if metadata is not None:
                self._metadata[scheme] = metadata
                self._app.openapi_schema = None  # made anew, with the flow

    def _describe(self, document: dict[str, Any]) -> None:
        """Put the providers' schemes in the place of the marks, with each operation's alternatives."""
        schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
        marked = [name for name in schemes if name.startswith(_MARK)]
        for name in marked:
            del schemes[name]
        scopes = {name: "" for rule in self._guard.rules for name in sorted(rule.scopes())}
        for name in self._schemes if marked else ():
            schemes[name] = _scheme(self._metadata.get(name, {}), scopes)
        for operations in document.get("paths", {}).values():
            for operation in operations.values():
                if isinstance(operation, dict) and "security" in operation:
                    operation["security"] = self._alternatives(operation["security"])

    def _alternatives(self, security: list[dict[str, list[str]]]) -> list[dict[str, list[str]]]:
        """The requirements of an operation, the guard's own replaced by what they ask for together."""
        rules = {mark: rule for mark, rule in self._marked_rules() if {mark} in map(set, security)}
        others = [one for one in security if not rules.keys() & one.keys()]
        if not rules:
            return others
        asked = [rule for rule in rules.values() if rule is not None]
        if not asked:
            return [*others, {}, *({scheme: list[str]()} for scheme in self._schemes)]
        whole = asked[0]
        for rule in asked[1:]:
            whole &= rule
        own = [one for scheme in self._schemes for one in whole.security_requirement(scheme)]
        return [*others, *own]

    def _marked_rules(self) -> Iterator[tuple[str, Rule | None]]:
        for requirement in self._guard.requirements:
            yield requirement.scheme_name, requirement.rule


def _named(providers: Any) -> Iterator[tuple[str, Any]]:
    """A name for each provider's scheme, of the characters that OpenAPI allows."""
    for number, provider in enumerate(providers, start=1):
        yield ("oauth2" if number == 1 else f"oauth2_{number}"), provider


def _scheme(metadata: dict[str, Any], scopes: dict[str, str]) -> dict[str, Any]:
    authorization, token = metadata.get("authorization_endpoint"), metadata.get("token_endpoint")
    if isinstance(authorization, str) and isinstance(token, str):
        return oauth2_scheme(scopes, authorization_url=authorization, token_url=token)
    return bearer_scheme()
