"""The `Guard` for Flask: views, method views, async views, blueprints and whole applications."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import flask

from bearerguard._wsgi import path_of
from bearerguard.errors import AuthError
from bearerguard.flask.request import FlaskRequest, RefusedRequest, begin, refusal_of, remember, remembered
from bearerguard.flask.response import as_response, view_name, view_of
from bearerguard.flask.views import behind
from bearerguard.guard import BaseGuard, Demand, exact_paths
from bearerguard.openapi.document import requirements, scheme_names
from bearerguard.rules import Rule
from bearerguard.token import AccessToken

__all__ = ["Guard"]

V = TypeVar("V", bound=Callable[..., Any])


class Guard(BaseGuard):
    """Protects Flask views by rules.

    A view that is refused is not entered: `RefusedRequest` is raised, which answers as the guard does unless
    the application has an error handler for it.

    Examples:
        ```python
        guard = Guard(ResourceServer(Provider("https://login.example", audience="https://api.example")))


        @app.get("/orders")
        @guard.requires(scope("orders:read"))
        def orders():
            return {"hello": guard.token().subject}
        ```
    """

    def requires(self, rule: Rule | None = None) -> Callable[[V], V]:
        """Return a decorator for views, sync or async, and for view classes.

        It stands below the route's decorator, or the route would not see it.

        Args:
            rule: what the token must fulfil; any valid token by default.
        """
        return self._behind(self.demand(rule))

    def optional(self) -> Callable[[V], V]:
        """Return a decorator for views that serve requests without a token too; a bad one is refused."""
        return self._behind(self.demand(optional=True))

    def protect(
        self, part: flask.Flask | flask.Blueprint, rule: Rule | None = None, public_paths: Iterable[str] = ()
    ) -> None:
        """Protect every view of an application or a blueprint.

        The guard's endpoints, and Flask's own answers to OPTIONS, which a browser asks for without
        credentials, are given to everybody.

        Args:
            part: the application, or a blueprint before it is registered.
            rule: what tokens must fulfil; any valid token by default.
            public_paths: exact paths that need no token, as routes name them: without the mount of the whole.
        """
        demand, public = self.demand(rule), exact_paths(public_paths)
        own = {view_name(endpoint) for endpoint in self.endpoints}

        def admit() -> None:
            request = flask.request
            if request.endpoint in own or path_of(request.environ) in public:
                begin()
                return
            if request.method == "OPTIONS" and getattr(request.url_rule, "provide_automatic_options", False):
                return
            self._admit(demand)

        if isinstance(part, flask.Flask):
            self._check_at_first(part)
        part.before_request(admit)

    def install(self, app: flask.Flask) -> flask.Flask:
        """Serve the guard's endpoints from `app`: the resource's metadata, where it has a `resource`.

        The first request also checks that no decorator of this guard stands above the route's.
        """
        self._check_at_first(app)
        for endpoint in self.endpoints:
            name = view_name(endpoint)
            if name not in app.view_functions:  # of two resources, the first has the path that both have
                app.add_url_rule(endpoint.path, name, view_of(endpoint), methods=endpoint.methods)
        return app

    def token(self) -> AccessToken:
        """Return the verified token of the current request.

        Raises:
            LookupError: the view is not protected, or a token is optional there and the request has none.
        """
        token = self.token_or_none()
        if token is None:
            raise LookupError("This request has no verified token: is its view protected?")
        return token

    def token_or_none(self) -> AccessToken | None:
        """Return the verified token of the current request, or None."""
        return remembered()

    # Of dicts. Lists are invariant, and APIFlask's is one of a union: it would take no other type.
    def security(self, rule: Rule | None = None) -> list[Any]:
        """Return what a view with this rule asks for, as Security Requirement Objects of OpenAPI.

        For the `security` of an operation in documents that flask-smorest, APIFlask or flask-restx make. The
        names are those of the providers, `oauth2` for the only one where it was given none, and `DPoP` and
        `mutualTLS` for what a token is bound to; the document has to describe these schemes
        (`bearerguard.openapi`). `rule.describe()` says in words what the rule asks for.

        Args:
            rule: what `requires` asks for; any valid token by default.

        Raises:
            ConfigurationError: `rule` is not a rule.

        Examples:
            ```python
            @blueprint.route("/orders")
            @blueprint.doc(security=guard.security(scope("orders:read")))
            @guard.requires(scope("orders:read"))
            def orders():
                return ["bread", "salt"]
            ```
        """
        server = self.server
        names = list(scheme_names(server.providers).values()) or ["bearer"]
        # How a client gets a token is for the document to say: a flow keeps the rule's scopes in any version.
        schemes = {name: {"type": "oauth2", "flows": {}} for name in names}
        return requirements(
            schemes, self.demand(rule).rule, has_certificate=server.certificate is not None, dpop=server.dpop
        )

    # -- the current request -------------------------------------------------------------------------

    def _behind(self, demand: Demand) -> Callable[[V], V]:
        check, acheck = functools.partial(self._admit, demand), functools.partial(self._aadmit, demand)

        def decorate(view: V) -> V:
            guarded = behind(check, acheck, view)
            self._stands_below(view)
            return guarded

        return decorate

    def _check_at_first(self, app: flask.Flask) -> None:
        """Have the first request check the views, as all are there; until they are right, each one fails."""

        def check() -> None:
            self._check_served(app.view_functions.values(), "@app.route(...)")
            # In another list, as this one is being gone through.
            app.before_request_funcs[None] = [
                function for function in app.before_request_funcs[None] if function is not check
            ]

        app.before_request(check)

    def _admit(self, demand: Demand) -> None:
        """Check the current request, and note its token where the application and the logs find it."""
        environ = begin()
        try:
            remember(environ, self.admit(FlaskRequest(environ), demand))
        except AuthError as error:
            raise self._refusal(error) from error

    async def _aadmit(self, demand: Demand) -> None:
        environ = begin()
        try:
            remember(environ, await self.aadmit(FlaskRequest(environ), demand))
        except AuthError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: AuthError) -> RefusedRequest:
        answer = self.answer(error)
        return refusal_of(
            error, answer.refusal_headers, description=error.description, response=as_response(answer)
        )
