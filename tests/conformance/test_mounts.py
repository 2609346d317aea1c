"""Where an application is mounted moves no protected path into the open, whoever says where that is.

A mount is `root_path` or `SCRIPT_NAME`. Servers are told it when they are started, routers make one for what
is mounted within, and some servers take it from a header field of the request: Daphne from
`Daphne-Root-Path`, gunicorn from `Script-Name`, where a proxy lets it through.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Any

import fastapi as fastapi_framework
import flask as flask_framework
import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import path as route
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from bearerguard import ResourceServer, asgi, django, fastapi, flask, starlette, wsgi
from tests.doors_under_test.django_site import site
from tests.doors_under_test.exchange import Request as Sent
from tests.doors_under_test.exchange import ask_asgi, ask_wsgi
from tests.doors_under_test.real_server import connection_to

RESOURCE = "https://shop.test/api"
PUBLIC = {"/health", "/public/admin"}
WELL_KNOWN = "/.well-known/oauth-protected-resource"


# -- applications: `/health` and `/public/admin` are open, `/admin` and the rest are not -------------------


ALL = ("/health", "/public/admin", "/admin", "/api/health")


def pages(*paths: str) -> list[BaseRoute]:
    def page(path: str) -> Any:
        async def shown(request: Request) -> PlainTextResponse:
            return PlainTextResponse(path)

        return shown

    return [
        Route(path, page(path)) for path in paths or ("/health", "/public/admin", "/admin", "/api/health")
    ]


def by_asgi(server: ResourceServer) -> Any:
    return asgi.Guard(server, resource=RESOURCE).protect(Starlette(routes=pages()), None, PUBLIC)


def by_asgi_at_a_mount(server: ResourceServer) -> Any:
    guard = asgi.Guard(server, resource=RESOURCE)
    return guard.protect(Starlette(routes=pages(*ALL[:3])), None, PUBLIC, root_path="/api")


def by_starlette(server: ResourceServer) -> Any:
    app = Starlette(routes=pages())
    app.add_middleware(starlette.Guard(server, resource=RESOURCE).protect, public_paths=PUBLIC)
    return app


def by_fastapi(server: ResourceServer) -> Any:
    app = fastapi_framework.FastAPI(routes=pages())
    app.add_middleware(fastapi.Guard(server, resource=RESOURCE).protect, public_paths=PUBLIC)
    return app


def by_fastapi_routes(server: ResourceServer) -> Any:
    guard = fastapi.Guard(server, resource=RESOURCE)
    app = guard.install(fastapi_framework.FastAPI())
    for path in ALL:
        needed = [] if path in PUBLIC else [guard.requires()]
        app.get(path, dependencies=needed, response_class=PlainTextResponse)(lambda path=path: path)
    return app


def by_authenticate(server: ResourceServer) -> Any:
    app = Starlette(routes=pages())
    app.add_middleware(starlette.AuthenticateMiddleware, server=server, public_paths=PUBLIC)
    return app


def by_wsgi(server: ResourceServer) -> Any:
    app = flask_app()
    return wsgi.Guard(server, resource=RESOURCE).protect(app.wsgi_app, None, PUBLIC)


def by_flask(server: ResourceServer) -> Any:
    app, guard = flask_app(), flask.Guard(server, resource=RESOURCE)
    guard.protect(app, public_paths=PUBLIC)
    return guard.install(app).wsgi_app


def flask_app() -> flask_framework.Flask:
    app = flask_framework.Flask("shop")
    for path in ALL:
        app.add_url_rule(path, path, lambda path=path: path)
    return app


def by_django(server: ResourceServer, over: Any = WSGIHandler) -> Any:
    routes = [route(path[1:], lambda request, path=path: HttpResponse(path)) for path in ALL]
    guard = django.Guard(server, resource=RESOURCE)
    return site(routes, over=over, protected={"guard": guard, "public_paths": PUBLIC})


def by_django_over_asgi(server: ResourceServer) -> Any:
    return by_django(server, ASGIHandler)


ASGI = [
    by_django_over_asgi,
    by_asgi,
    by_asgi_at_a_mount,
    by_starlette,
    by_fastapi,
    by_fastapi_routes,
    by_authenticate,
]
WSGI = [by_wsgi, by_flask, by_django]
MOUNTS = [
    "",
    "/",
    "/public",
    "/public/",
    "/pub",
    "/api",
    "/health",
    "/public/admin",
    "/admin",
    "//",
    "/x",
    "public",
]
PATHS = [
    "/admin",
    "/public/admin",
    "/health",
    "/api/health",
    "/public/public/admin",
    "/admin/admin",
    "//admin",
]


@pytest.mark.parametrize("build", ASGI)
def test_over_asgi_no_mount_opens_a_protected_page(
    build: Callable[[ResourceServer], Any], server: ResourceServer
) -> None:
    app = build(server)
    for mount in MOUNTS:
        for path in {
            *PATHS,
            *(mount + path for path in PATHS),
            *(mount.rstrip("/") + path for path in PATHS),
        }:
            answer = ask_asgi(app, Sent(path=path, mount=mount))[0]
            opened = answer.body.decode() if answer.status == 200 else None
            assert opened in (None, *PUBLIC), (mount, path)


@pytest.mark.parametrize("build", WSGI)
def test_over_wsgi_no_mount_opens_a_protected_page(
    build: Callable[[ResourceServer], Any], server: ResourceServer
) -> None:
    app = build(server)
    for mount in [mount.rstrip("/") for mount in MOUNTS if mount != "public"]:
        for path in PATHS:
            answer = ask_wsgi(app, Sent(path=mount + path, mount=mount))[0]
            opened = answer.body.decode() if answer.status == 200 else None
            assert opened in (None, *PUBLIC), (mount, path)


# -- a mount that is configured ----------------------------------------------------------------------------

AT_A_MOUNT = [build for build in (*ASGI, *WSGI) if build is not by_asgi]


@pytest.mark.parametrize("build", AT_A_MOUNT)
@pytest.mark.parametrize("path", ["/health", "/public/admin"])
def test_public_paths_are_named_as_routes_name_them_below_a_mount(
    build: Callable[[ResourceServer], Any], path: str, server: ResourceServer
) -> None:
    ask = ask_wsgi if build in WSGI else ask_asgi
    answers = ask(
        build(server), Sent(path=f"/api{path}", mount="/api"), Sent(path="/api/admin", mount="/api")
    )
    assert answers[0].body.decode() == path
    assert [answer.status in (400, 401) for answer in answers] == [False, True]


@pytest.mark.parametrize("build", [build for build in (*ASGI, *WSGI) if build is not by_authenticate])
@pytest.mark.parametrize(
    ("prefix", "mount"),
    [("", ""), ("", "/api"), ("/api", "/api")],
    ids=["no mount", "taken away by the proxy", "left by the proxy"],
)
def test_the_metadata_stand_at_their_own_paths_whatever_the_mount(
    build: Callable[[ResourceServer], Any], prefix: str, mount: str, server: ResourceServer
) -> None:
    ask = ask_wsgi if build in WSGI else ask_asgi
    mounted = mount if ask is ask_asgi or prefix else ""
    for path in (WELL_KNOWN, f"{WELL_KNOWN}/api"):
        (answer,) = ask(build(server), Sent(path=prefix + path, mount=mounted))
        assert (answer.status, answer.json["resource"]) == (200, RESOURCE)


def test_what_a_router_mounts_names_paths_as_its_own_routes_do(server: ResourceServer) -> None:
    for build in (by_starlette, by_fastapi, by_authenticate, by_asgi_at_a_mount):
        app = Starlette(routes=[Mount("/api", build(server))])
        answers = ask_asgi(app, *(Sent(path=f"/api{path}") for path in ("/health", "/admin")))
        assert [answer.status in (400, 401) for answer in answers] == [False, True]
    for build in WSGI:
        mounted = DispatcherMiddleware(flask_framework.Flask("outer").wsgi_app, {"/api": build(server)})
        answers = ask_wsgi(mounted, *(Sent(path=f"/api{path}") for path in ("/health", "/admin")))
        assert [answer.status for answer in answers] == [200, 401]


# -- servers -----------------------------------------------------------------------------------------------


def got(connection: http.client.HTTPConnection, path: str) -> tuple[int, str]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


@pytest.mark.parametrize("build", [by_starlette, by_fastapi, by_fastapi_routes, by_asgi_at_a_mount])
def test_under_uvicorns_root_path_public_paths_and_metadata_are_where_they_were(
    build: Callable[[ResourceServer], Any], server: ResourceServer
) -> None:
    with connection_to(build(server), root_path="/api") as connection:
        assert got(connection, "/health") == (200, "/health")
        assert got(connection, "/admin")[0] == 401
        assert [got(connection, path)[0] for path in (WELL_KNOWN, f"{WELL_KNOWN}/api")] == [200, 200]
