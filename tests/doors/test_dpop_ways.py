"""What is peculiar to ways of putting an API together, for tokens that are bound to a key (RFC 9449).

Two guards in the way of one request, and mounts: which address a proof has to name depends on where the
server has the application, and on where a router has it.
"""

from __future__ import annotations

from typing import Any

import fastapi as fastapi_framework
import flask as flask_framework
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from bearerguard import AccessToken, ConfigurationError, DPoP, bound, fastapi, flask, starlette, wsgi
from bearerguard.starlette import AuthenticateMiddleware
from bearerguard.testing import Issuer
from tests.doors_under_test.real_server import connection_to

ISSUER = Issuer(algorithm="ES256")
API = "https://api.test"


def server(dpop: DPoP | None = None, resource: str | None = API) -> Any:
    return ISSUER.resource_server(keys=ISSUER.jwks(), dpop=dpop or DPoP(), resource=resource)


# -- two guards ----------------------------------------------------------------------------------------------


def in_starlette() -> Any:
    guard = starlette.Guard(server())

    @guard.requires(bound("dpop"))
    async def orders(request: Request) -> JSONResponse:
        return JSONResponse({"by": guard.token(request).confirmation})

    app = Starlette(routes=[Route("/orders", orders, methods=["GET", "POST"])])
    app.add_middleware(guard.protect)
    return app


def in_fastapi() -> Any:
    guard = fastapi.Guard(server())
    token_of_key = guard.requires(bound("dpop"))
    app = guard.install(fastapi_framework.FastAPI(dependencies=[guard.requires()]))

    @app.api_route("/orders", methods=["GET", "POST"], dependencies=[guard.requires(bound())])
    async def orders(token: AccessToken = token_of_key) -> dict[str, Any]:
        return {"by": token.confirmation}

    return app


@pytest.mark.parametrize("build", [in_starlette, in_fastapi])
def test_guards_that_stand_behind_each_other_use_up_a_proof_once(build: Any) -> None:
    client, auth = TestClient(build(), base_url=API), ISSUER.client(dpop=True)
    headers = auth.headers("GET", f"{API}/orders")
    answers = [client.get("/orders", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401]
    assert answers[0].json() == {"by": "dpop"}
    assert client.post("/orders", headers=auth.headers("GET", f"{API}/orders")).status_code == 401


def test_guards_of_wsgi_that_stand_behind_each_other_use_up_a_proof_once() -> None:
    app, own = flask_framework.Flask("api"), server()
    inner = flask.Guard(own)

    @app.get("/orders")
    @inner.requires(bound())
    @inner.requires(bound("dpop"))
    def orders() -> Any:
        return {"by": inner.token().confirmation}

    client, auth = Client(wsgi.Guard(own).protect(app.wsgi_app)), ISSUER.client(dpop=True)
    headers = auth.headers("GET", f"{API}/orders")
    assert [client.get("/orders", headers=headers).status_code for _ in range(2)] == [200, 401]


# -- mounts --------------------------------------------------------------------------------------------------


def told(request: Request) -> JSONResponse:
    return JSONResponse({"path": request.scope["path"], "root_path": request.scope["root_path"]})


def mounted(dpop: DPoP, resource: str | None) -> Any:
    """A guard around an application, and one within another that a router mounts."""
    guard = starlette.Guard(server(dpop, resource))
    within = Starlette(routes=[Route("/orders", guard.requires()(told))])
    return Starlette(routes=[Route("/orders", guard.requires()(told)), Mount("/shop", guard.protect(within))])


@pytest.mark.parametrize("root_path", ["", "/api"])
def test_under_a_real_server_a_base_url_stands_for_its_mount_and_not_for_that_of_a_router(
    root_path: str,
) -> None:
    app, auth = mounted(DPoP(base_url=f"{API}/v1"), None), ISSUER.client(dpop=True)
    # uvicorn puts its `root_path` in front of the path that came.
    with connection_to(app, root_path=root_path) as connection:
        for path in ("/orders", "/shop/orders"):
            for front, status in ((f"{API}/v1", 200), (API, 401), (f"{API}/v1/api", 401)):
                address = front + path
                connection.request("GET", path, headers=auth.headers("GET", address))
                answer = connection.getresponse()
                answer.read()
                assert answer.status == status, (path, address)


def test_under_a_real_server_a_resource_takes_the_path_as_the_server_says_it_whole() -> None:
    app, auth = mounted(DPoP(), API), ISSUER.client(dpop=True)
    with connection_to(app) as connection:
        for path in ("/orders", "/shop/orders", "/%6frders?page=1"):
            connection.request("GET", path, headers=auth.headers("GET", API + path.replace("%6f", "o")))
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, path


def test_a_mount_of_werkzeugs_dispatcher_is_the_servers_to_a_base_url() -> None:
    """To a resource it is a part of the path."""

    def at_shop(dpop: DPoP, resource: str | None) -> Any:
        app = flask_framework.Flask("shop")
        guard = flask.Guard(server(dpop, resource))
        app.add_url_rule("/orders", "orders", guard.requires()(lambda: {"by": guard.token().confirmation}))
        return Client(DispatcherMiddleware(flask_framework.Flask("outer").wsgi_app, {"/shop": app.wsgi_app}))

    auth = ISSUER.client(dpop=True)
    for client, address in (
        (at_shop(DPoP(base_url=f"{API}/shop"), None), f"{API}/shop/orders"),
        (at_shop(DPoP(), API), f"{API}/shop/orders"),
    ):
        assert client.get("/shop/orders", headers=auth.headers("GET", address)).status_code == 200
        assert client.get("/shop/orders", headers=auth.headers("GET", f"{API}/orders")).status_code == 401


# -- a middleware that was given a server ------------------------------------------------------------------


def test_the_middleware_takes_bound_tokens_through_its_server() -> None:
    app = Starlette(
        routes=[Route("/orders", lambda request: JSONResponse(request.scope["oauth2-claims"]["cnf"]))]
    )
    app.add_middleware(AuthenticateMiddleware, server=server(DPoP(nonce=True)))
    auth = ISSUER.client(dpop=True)
    answer = TestClient(app, base_url=API).get("/orders", auth=auth)
    assert auth.key is not None
    assert (answer.status_code, answer.json()) == (200, {"jkt": auth.key.thumbprint})


def test_the_middleware_is_not_built_where_the_public_address_is_unknown() -> None:
    app = Starlette()
    app.add_middleware(AuthenticateMiddleware, server=server(resource=None))
    with pytest.raises(ConfigurationError, match="base_url="):
        app.build_middleware_stack()
