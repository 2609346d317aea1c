"""The doors with layabauth's contract: they build a server of their own, and answer as its users expect.

What they answer beyond that is in `tests/doors` and `tests/seeds`.
"""

from __future__ import annotations

from typing import Any

import flask as flask_framework
from starlette.applications import Starlette
from starlette.authentication import SimpleUser, requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bearerguard import flask, starlette
from bearerguard.testing import Issuer
from tests.doors_under_test.door import METHODS, Api, Door, Opened
from tests.doors_under_test.exchange import ask_asgi, ask_wsgi


def trusting(issuer: Issuer, /, **options: Any) -> dict[str, Any]:
    """What both of them take, besides the address of the keys, to trust an issuer of the test kit."""
    return {
        "issuer": issuer.url,
        "audience": issuer.audience,
        "clock": issuer.clock,
        "transport": issuer.transport,
        **options,
    }


class LayabauthDoor(Door):
    guard = None
    conforms = False
    badly_put = 401

    def open_for(self, issuer: Issuer) -> Opened:
        api = Api()
        return Opened(self, self.app_trusting(issuer.jwks_uri, trusting(issuer), api), api, None)

    def app_trusting(self, jwks_uri: str, settings: dict[str, Any], api: Api) -> Any:
        """The application, trusting nobody but who has these keys."""
        raise NotImplementedError


class StarletteBackend(LayabauthDoor):
    name = "starlette OAuth2IdTokenBackend"
    ask = staticmethod(ask_asgi)
    without_credentials = 403  # the request is anonymous, and `requires` refuses that
    challenges_the_anonymous = False

    def app_trusting(self, jwks_uri: str, settings: dict[str, Any], api: Api) -> Any:
        @requires("entry")
        async def view(request: Request) -> JSONResponse:
            await api.enter_async(request.url.path)
            return JSONResponse(api.content(request.scope["bearerguard.token"]))

        backend = starlette.OAuth2IdTokenBackend(
            jwks_uri,
            create_user=lambda token, token_body: SimpleUser(""),
            scopes=lambda token, token_body: ["entry"],
            **settings,
        )
        middleware = Middleware(AuthenticationMiddleware, backend=backend, on_error=starlette.on_error)
        return Starlette(routes=[Route("/", view, methods=METHODS)], middleware=[middleware])


class FlaskDecorator(LayabauthDoor):
    name = "flask requires_authentication"
    ask = staticmethod(ask_wsgi)
    joins_fields = True

    def app_trusting(self, jwks_uri: str, settings: dict[str, Any], api: Api) -> Any:
        @flask.requires_authentication(jwks_uri, **settings)
        def view() -> Any:
            api.enter(flask_framework.request.path)
            return {"subject": flask_framework.g.token_body.get("sub")}

        app = flask_framework.Flask("api")
        app.add_url_rule("/", "view", view, methods=METHODS)
        return app.wsgi_app
