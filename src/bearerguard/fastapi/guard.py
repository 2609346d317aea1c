"""The `Guard` for FastAPI: rules as dependencies. It verifies nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.params import Security
from starlette.requests import Request
from starlette.responses import Response

from bearerguard.errors import ConfigurationError
from bearerguard.fastapi.before_body import ask_before_the_body
from bearerguard.fastapi.docs_client import DocsClient, checked_clients
from bearerguard.fastapi.document import Document
from bearerguard.fastapi.requirement import RefusedRequest, Requirement
from bearerguard.rules import Rule
from bearerguard.starlette.base import StarletteGuard, as_response

__all__ = ["Guard"]


class Guard(StarletteGuard):
    """Protects FastAPI routes by rules.

    Examples:
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
        docs_clients: Mapping[str, str | DocsClient] | None = None,
        docs_scopes: Mapping[str, str] | None = None,
    ) -> FastAPI:
        """Have `app` answer refusals as the guard does, serve its metadata, and document its security.

        A request is checked before its body is read. Logs and traces follow it to its end. When the
        application starts, annotations that FastAPI could not resolve are a `ConfigurationError`.

        The OpenAPI document gets the authorization code flow with PKCE where a provider's metadata names its
        endpoints, so that `/docs` can log in; a provider whose keys were given is documented as HTTP Bearer.
        `app.openapi()` asks for that metadata too, but not on an event loop, which it would block: there the
        document has what is known by then, and says of each provider what is missing.

        Args:
            app: the application.
            docs_client_id: the client that `/docs` logs in as: a public client with PKCE, whose redirect
                URI is the application's `/docs/oauth2-redirect`. For a server with one provider.
            docs_clients: the same for several providers, by their names: the id of a client, or a
                `DocsClient` with scopes and parameters of its own.
            docs_scopes: the scopes that `/docs` can ask for, each with a description; by default those of
                the rules, as they stand in tokens. Some providers call them differently when asked for.

        Raises:
            ConfigurationError: `docs_client_id` is not a string, or there are several providers;
                `docs_clients` names a provider that the server does not have.
        """
        providers = self.server.providers
        if not (docs_client_id is None or isinstance(docs_client_id, str)):
            raise ConfigurationError(
                f"docs_client_id is a {type(docs_client_id).__name__}: give the id of a client, a string."
            )
        if docs_client_id is not None and (docs_clients is not None or len(providers) > 1):
            names = ", ".join(f"{provider.name!r}: '...'" for provider in providers)
            raise ConfigurationError(
                "docs_client_id is the client of one provider, and there are several, or docs_clients is "
                f"given too: write docs_clients={{{names}}}."
            )
        clients = {} if docs_clients is None else checked_clients(docs_clients, providers)
        self._follow(app)
        ask_before_the_body(app)
        app.add_exception_handler(RefusedRequest, _answered)
        settings = {"usePkceWithAuthorizationCodeGrant": True, **(app.swagger_ui_init_oauth or {})}
        if docs_client_id is not None:
            settings["clientId"] = docs_client_id
        app.swagger_ui_init_oauth = settings
        Document(self, app, docs_scopes, clients=clients).install()
        return app


async def _answered(_: Request, refused: Exception) -> Response:
    assert isinstance(refused, RefusedRequest)  # noqa: S101 - it is registered for nothing else
    return as_response(refused.answer)
