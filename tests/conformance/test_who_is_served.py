"""Who is named in logs and traces hangs on the request: at every door, and nobody once it is over.

Not before and not after, whatever carries a context on: the next request of a connection after a large body,
a call within the process, a thread, a background task, a body that is made while it is sent.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import http.client
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import anyio.to_thread
import fastapi as fastapi_framework
import flask as flask_framework
import flask_restful
import flask_restx
import httpx2
import pytest
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path as route
from django.views import View as DjangoView
from fastapi import Request as FastAPIRequest
from flask.views import MethodView, View
from ninja import NinjaAPI
from rest_framework.response import Response
from starlette.applications import Starlette
from starlette.authentication import SimpleUser
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from bearerguard import ResourceServer, asgi, django, drf, fastapi, flask, ninja, starlette, wsgi
from bearerguard.testing import Issuer
from tests.conformance.conftest import KINDS
from tests.doors_under_test import drf_doors
from tests.doors_under_test.django_site import site
from tests.doors_under_test.doors import DOORS
from tests.doors_under_test.exchange import Request as Sent
from tests.doors_under_test.exchange import ask_wsgi, environ_of
from tests.doors_under_test.real_server import ENOUGH, connection_to
from tests.doors_under_test.story import Story, who
from tests.left_out import LEFT_OUT

GUARDED = ("/upload", "/thread", "/background", "/stream", "/task-stream", "/call")


def bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


BY_KEYS_ONLY = {"starlette OAuth2IdTokenBackend", "flask requires_authentication"}
"""They keep layabauth's contract, and make a server of an address of keys."""


def each_way(names: Iterable[str]) -> pytest.MarkDecorator:
    """Run a test for each of these ways in, with each kind of token that it takes."""
    pairs = [(name, kind) for name in names for kind in KINDS if kind == "JWT" or name not in BY_KEYS_ONLY]
    return pytest.mark.parametrize(("name", "issuer"), pairs, indirect=["issuer"])


# -- ASGI ------------------------------------------------------------------------------------------------


def endpoints(story: Story, call: Callable[[], Any], kind: Any = Request) -> dict[str, Any]:
    """What stands behind an ASGI door; `kind` is what an endpoint's parameter is annotated as."""

    async def upload(request: Any) -> PlainTextResponse:
        await request.body()
        story.tell("upload")
        return PlainTextResponse("")

    def thread(request: Any) -> PlainTextResponse:
        story.tell("thread")
        return PlainTextResponse("")

    async def background(request: Any) -> PlainTextResponse:
        tasks = BackgroundTasks(
            [
                BackgroundTask(story.tell, "background thread"),
                BackgroundTask(story.tell_in_task, "background task"),
                BackgroundTask(story.background_is_done.set),
            ]
        )
        return PlainTextResponse("", background=tasks)

    async def stream(request: Any) -> StreamingResponse:
        return StreamingResponse(story.chunks())

    async def task_stream(request: Any) -> StreamingResponse:
        return StreamingResponse(story.chunks_in_task())

    async def within(request: Any) -> PlainTextResponse:
        story.tell("before the call")
        await call()
        story.tell("after the call")
        return PlainTextResponse("")

    async def public(request: Any) -> PlainTextResponse:
        story.tell("public")
        return PlainTextResponse("")

    def keeping(endpoint: Any) -> Any:
        """Somebody always keeps a scope: a worker thread its last one, an error its frames."""
        is_async = inspect.iscoroutinefunction(endpoint)

        def kept(request: Any) -> Any:
            story.kept.append(request.scope)
            return endpoint(request)

        async def kept_in_task(request: Any) -> Any:
            return await kept(request)

        return kept_in_task if is_async else kept

    found = dict(zip(GUARDED, (upload, thread, background, stream, task_stream, within), strict=True))
    found = {path: keeping(endpoint) for path, endpoint in {**found, "/public": public}.items()}
    for path, endpoint in found.items():
        endpoint.__annotations__ = {"request": kind}
        endpoint.__name__ = path[1:]
    return found


def routes(found: dict[str, Any], guarded: Callable[[Any], Any] = lambda endpoint: endpoint) -> list[Route]:
    return [
        Route(path, guarded(endpoint) if path in GUARDED else endpoint, methods=["GET", "POST"])
        for path, endpoint in found.items()
    ]


ASGI: dict[str, Callable[[ResourceServer, Issuer, Story, Any], Any]] = {}


def way_in(name: str) -> Callable[[Any], Any]:
    def add(build: Any) -> Any:
        ASGI[name] = build
        return build

    return add


@way_in("asgi")
def plain(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
    return asgi.Guard(server).protect(Starlette(routes=routes(endpoints(story, call))), None, {"/public"})


@way_in("starlette async function, not installed")
def not_installed(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
    return Starlette(routes=routes(endpoints(story, call), starlette.Guard(server).requires()))


@way_in("starlette async function")
@way_in("starlette function")
def installed(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
    guard = starlette.Guard(server)
    return guard.install(Starlette(routes=routes(endpoints(story, call), guard.requires())))


def as_class(endpoint: Any) -> Any:
    async def serve(self: Any, request: Request) -> Any:
        return await endpoint(request)

    def serve_in_thread(self: Any, request: Request) -> Any:
        return endpoint(request)

    method = serve_in_thread if endpoint.__name__ == "thread" else serve
    return type("View", (HTTPEndpoint,), {"get": method, "post": method})


@way_in("starlette class")
def classes(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
    guard = starlette.Guard(server)
    found = routes(endpoints(story, call), lambda endpoint: guard.requires()(as_class(endpoint)))
    return Starlette(routes=found)


@way_in("starlette middleware")
def middleware(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
    app = Starlette(routes=routes(endpoints(story, call)))
    app.add_middleware(starlette.Guard(server).protect, public_paths={"/public"})
    return app


@way_in("starlette mount")
def mount(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
    mounted = Starlette(routes=routes(endpoints(story, call)))
    return Starlette(routes=[Mount("/", starlette.Guard(server).protect(mounted, None, {"/public"}))])


@way_in("starlette AuthenticateMiddleware")
def authenticate(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
    app = Starlette(routes=routes(endpoints(story, call)))
    app.add_middleware(starlette.AuthenticateMiddleware, server=server, public_paths={"/public"})
    return app


@way_in("starlette OAuth2IdTokenBackend")
def backend(_: ResourceServer, issuer: Issuer, story: Story, call: Any) -> Any:
    authenticates = starlette.OAuth2IdTokenBackend(
        issuer.jwks_uri,
        create_user=lambda token, token_body: SimpleUser(""),
        scopes=lambda token, token_body: [],
        issuer=issuer.url,
        audience=issuer.audience,
        clock=issuer.clock,
        transport=issuer.transport,
    )
    outside = Middleware(AuthenticationMiddleware, backend=authenticates, on_error=starlette.on_error)
    return Starlette(routes=routes(endpoints(story, call)), middleware=[outside])


def mcp_routes(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
    from mcp.server import MCPServer

    from bearerguard import mcp

    notes = MCPServer[Any]("Notes", log_level="CRITICAL")
    for path, endpoint in endpoints(story, call).items():
        is_task = inspect.iscoroutinefunction(endpoint)
        in_task = endpoint if is_task else functools.partial(anyio.to_thread.run_sync, endpoint)
        notes.custom_route(path, ["GET", "POST"])(in_task)
    return mcp.Guard(server).protect(notes.streamable_http_app(), None, {"/public"})


if "mcp" not in LEFT_OUT:
    ASGI["mcp route"] = mcp_routes


def fastapi_routes(router: Any, found: dict[str, Any], dependencies: list[Any]) -> Any:
    for path, endpoint in found.items():
        if path != "/public":
            router.add_api_route(
                path, endpoint, methods=["GET", "POST"], dependencies=dependencies, response_model=None
            )
    return router


def fastapi_way(name: str, *, install: bool, router: bool = False, wrapped: bool = False) -> None:
    def build(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
        guard, app = fastapi.Guard(server), fastapi_framework.FastAPI()
        if wrapped:
            app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, go_on: go_on(request))
        if install:
            guard.install(app)
        found = endpoints(story, call, FastAPIRequest)
        if router:
            included = fastapi_framework.APIRouter(dependencies=[guard.requires()])
            app.include_router(fastapi_routes(included, found, []))
        else:
            fastapi_routes(app, found, [guard.requires()])
        app.add_api_route("/public", found["/public"], response_model=None)
        return app

    ASGI[name] = build


fastapi_way("fastapi parameter", install=True)
fastapi_way("fastapi function", install=True, wrapped=True)
fastapi_way("fastapi router", install=True, router=True)
fastapi_way("fastapi function, not installed", install=False)


# -- Django over ASGI


def django_tasks(story: Story, call: Callable[[], Any]) -> dict[str, Any]:
    """The same, as Django has it: what is to be done later is a task that nobody waits for."""

    async def upload(request: Any) -> HttpResponse:
        assert request.body
        story.tell("upload")
        return HttpResponse("")

    def thread(request: Any) -> HttpResponse:
        story.tell("thread")
        return HttpResponse("")

    async def background(request: Any) -> HttpResponse:
        await asyncio.to_thread(story.tell, "background thread")
        await asyncio.create_task(story.tell_in_task("background task"))
        story.background_is_done.set()
        return HttpResponse("")

    async def stream(request: Any) -> StreamingHttpResponse:
        return StreamingHttpResponse(story.chunks_in_task())

    async def within(request: Any) -> HttpResponse:
        story.tell("before the call")
        await call()
        story.tell("after the call")
        return HttpResponse("")

    def public(request: Any) -> HttpResponse:
        story.tell("public")
        return HttpResponse("")

    def keeping(view: Any) -> Any:
        def kept(request: Any) -> Any:
            story.kept.append(request.scope)
            return view(request)

        async def kept_in_task(request: Any) -> Any:
            return await kept(request)

        return kept_in_task if inspect.iscoroutinefunction(view) else kept

    found = dict(zip(GUARDED, (upload, thread, background, stream, stream, within), strict=True))
    return {path: keeping(view) for path, view in {**found, "/public": public}.items()}


def django_way(name: str, guarded: Callable[[Any, Any], Any] | None) -> None:
    def build(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
        guard, found = django.Guard(server), django_tasks(story, call)
        routes = [
            route(path[1:], guarded(guard, view) if guarded and path in GUARDED else view)
            for path, view in found.items()
        ]
        protected = None if guarded else {"guard": guard, "public_paths": {"/public"}}
        return site(routes, over=ASGIHandler, protected=protected)

    ASGI[name] = build


def django_class(guard: Any, view: Any) -> Any:
    async def serve(self: Any, request: Any) -> Any:
        return await view(request)

    def serve_in_thread(self: Any, request: Any) -> Any:
        return view(request)

    serve = serve if inspect.iscoroutinefunction(view) else serve_in_thread
    return guard.requires()(type("Shown", (DjangoView,), {"get": serve, "post": serve})).as_view()


for name in ("django async function", "django function over ASGI"):
    django_way(name, lambda guard, view: guard.requires()(view))
django_way("django async class", django_class)
django_way("django site over ASGI", None)


def ninja_way(name: str) -> None:
    def build(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
        guard = ninja.Guard(server)
        api = guard.install(NinjaAPI(docs_url=None, openapi_url=None))
        for p, view in django_tasks(story, call).items():
            auth = guard.requires() if p in GUARDED else None
            api.api_operation(["GET", "POST"], p[1:], auth=auth)(view)
        return site([route("", api.urls)], over=ASGIHandler)

    ASGI[name] = build


ninja_way("ninja async operation")
ninja_way("ninja operation over ASGI")


def ask(connection: http.client.HTTPConnection, path: str, token: str | None, body: bytes = b"") -> int:
    connection.request("POST" if body else "GET", path, body, bearer(token))
    answer = connection.getresponse()
    answer.read()
    return answer.status


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


# Starlette tells a backend when a request begins, and not when it ends: what it says ends with the task.
TOLD = ASGI.keys() - {"starlette OAuth2IdTokenBackend"}


@each_way(ASGI)
def test_along_one_connection_each_is_named_where_it_is_served_and_nobody_else(
    name: str, issuer: Issuer
) -> None:
    server, story = issuer.resource_server(), Story()

    async def call() -> None:
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=inner), base_url="http://inner.test"
        ) as client:
            for token in (issuer.token("the api"), issuer.expired()):
                await client.get("/thread", headers=bearer(token))
                story.tell("between calls")

    inner, app = (ASGI[name](server, issuer, story, one) for one in (None, call))
    large = b"x" * 300_000
    with story.told_of_refusals(), connection_to(app) as connection:
        assert ask(connection, "/upload", issuer.token("ada"), large) == 200
        assert ask(connection, "/public", None) == 200
        assert ask(connection, "/upload", issuer.expired(), large) == 401
        assert ask(connection, "/public", None) == 200
        for path in GUARDED[1:]:
            assert ask(connection, path, issuer.token("bob")) == 200
            assert path != "/background" or story.background_is_done.wait(ENOUGH)
            assert ask(connection, "/public", None) == 200
    assert not [line for line in story.lines if line[0] == "public" and line[1]]
    told = [line for line in story.lines if line[0] != "public"]
    assert (
        told[: None if name in TOLD else -5]
        == [
            ("upload", "ada"),
            ("refused", ""),
            ("thread", "bob"),
            ("background thread", "bob"),
            ("background task", "bob"),
            *[("chunk 1", "bob"), ("chunk 2", "bob"), ("end of stream", "bob")] * 2,
            ("before the call", "bob"),
            ("thread", "the api"),
            ("between calls", "bob"),
            ("refused", ""),
            ("between calls", "bob"),
            ("after the call", "bob"),
        ][: None if name in TOLD else -5]
    )
    assert story.nobody_is_left()


# -- WSGI ------------------------------------------------------------------------------------------------


def views(story: Story, call: Callable[[], Any], stream: Callable[[Any], Any]) -> dict[str, Any]:
    """What stands behind a WSGI door; `stream` makes a body of chunks."""

    def thread() -> Any:
        story.tell("thread")
        return ""

    def within() -> Any:
        story.tell("before the call")
        call()
        story.tell("after the call")
        return ""

    def public() -> Any:
        story.tell("public")
        return ""

    return {"/thread": thread, "/stream": lambda: stream(story.chunks()), "/call": within, "/public": public}


WSGI: dict[str, Callable[[ResourceServer, Issuer, Story, Any], Any]] = {}


def plain_wsgi(found: dict[str, Any]) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        body = found[environ["PATH_INFO"]]()
        return [body.encode()] if isinstance(body, str) else body

    return app


def wsgi_way(name: str, stream: Callable[[Any], Any]) -> None:
    def build(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
        app = plain_wsgi(views(story, call, lambda chunks: stream(chunk.encode() for chunk in chunks)))
        return wsgi.Guard(server).protect(app, None, {"/public"})

    WSGI[name] = build


class Chunks:
    """A body that is an object of its own, as those of some frameworks are."""

    def __init__(self, chunks: Any) -> None:
        self.chunks = chunks

    def __iter__(self) -> Any:
        return iter(self.chunks)

    def close(self) -> None:
        self.chunks.close()


wsgi_way("wsgi", Chunks)
wsgi_way("wsgi generator", lambda chunks: chunks)


def flask_way(name: str, add: Callable[..., None], *, stream: Any = flask_framework.Response) -> None:
    def build(server: ResourceServer, issuer: Issuer, story: Story, call: Any) -> Any:
        app = flask_framework.Flask("api")
        found = views(story, call, stream)
        public = found.pop("/public")
        add(app, flask.Guard(server), found, issuer)
        app.add_url_rule("/public", "public", public)
        return app.wsgi_app

    WSGI[name] = build


def with_context(chunks: Any) -> Any:
    return flask_framework.Response(flask_framework.stream_with_context(chunks))


def by_function(app: Any, guard: Any, found: Any, _: Issuer) -> None:
    for path, view in found.items():
        app.add_url_rule(path, path, guard.requires()(view))


def by_task(app: Any, guard: Any, found: Any, _: Issuer) -> None:
    def task(view: Any) -> Any:
        async def serve() -> Any:
            return await asyncio.to_thread(view)  # where it may ask another application by Flask's own way

        return serve

    by_function(app, guard, {path: task(view) for path, view in found.items()}, _)


def by_class(app: Any, guard: Any, found: Any, _: Issuer) -> None:
    for path, view in found.items():
        kind = type("Shown", (View,), {"dispatch_request": lambda self, view=view: view()})
        app.add_url_rule(path, view_func=guard.requires()(kind).as_view(path))


def by_methods(app: Any, guard: Any, found: Any, _: Issuer) -> None:
    for path, view in found.items():
        kind = type("Shown", (MethodView,), {"get": lambda self, view=view: view()})
        app.add_url_rule(path, view_func=guard.requires()(kind).as_view(path))


def by_blueprint(app: Any, guard: Any, found: Any, _: Issuer) -> None:
    blueprint = flask_framework.Blueprint("orders", "api")
    guard.protect(blueprint)
    for number, (path, view) in enumerate(found.items()):
        blueprint.add_url_rule(path, str(number), view)
    app.register_blueprint(blueprint)


def by_application(app: Any, guard: Any, found: Any, _: Issuer) -> None:
    guard.protect(app, public_paths={"/public"})
    for path, view in found.items():
        app.add_url_rule(path, path, view)


def by_both(app: Any, guard: Any, found: Any, _: Issuer) -> None:
    guard.protect(app, public_paths={"/public", *found})
    by_function(app, guard, found, _)


def by_resource(module: Any) -> Callable[..., None]:
    def add(app: Any, guard: Any, found: Any, _: Issuer) -> None:
        api = module.Api(app)
        for path, view in found.items():
            name = path.strip("/")
            resource = type(name, (module.Resource,), {"get": lambda self, view=view: wrapped(view())})
            api.add_resource(guard.requires()(resource), path)

    def wrapped(body: Any) -> Any:
        return flask_framework.Response(body) if isinstance(body, str) else body

    return add


def by_layabauth(app: Any, _: Any, found: Any, issuer: Issuer) -> None:
    decorate = flask.requires_authentication(
        issuer.jwks_uri,
        issuer=issuer.url,
        audience=issuer.audience,
        clock=issuer.clock,
        transport=issuer.transport,
    )
    for path, view in found.items():
        app.add_url_rule(path, path, decorate(view))


flask_way("flask view", by_function)
flask_way("flask view, stream_with_context", by_function, stream=with_context)
flask_way("flask async view", by_task)
flask_way("flask view class", by_class)
flask_way("flask method view", by_methods)
flask_way("flask blueprint", by_blueprint)
flask_way("flask application", by_application)
flask_way("flask view on a public path", by_both)
flask_way("flask requires_authentication", by_layabauth)
flask_way("flask-restx resource", by_resource(flask_restx))
flask_way("flask-restful resource", by_resource(flask_restful))


def django_views(name: str, guarded: Callable[[Any, Any], Any] | None) -> None:
    def build(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
        def as_view(view: Any) -> Any:
            def shown(request: Any) -> Any:
                body = view()
                return HttpResponse(body) if isinstance(body, str) else body

            return shown

        guard = django.Guard(server)
        found = {p: as_view(view) for p, view in views(story, call, StreamingHttpResponse).items()}
        public = found.pop("/public")
        routes = [route(p[1:], guarded(guard, view) if guarded else view) for p, view in found.items()]
        protected = None if guarded else {"guard": guard, "public_paths": {"/public"}}
        return site([*routes, route("public", public)], protected=protected)

    WSGI[name] = build


def as_django_task(guard: Any, view: Any) -> Any:
    async def serve(request: Any) -> Any:
        return await asyncio.to_thread(view, request)

    return guard.requires()(serve)


django_views("django function", lambda guard, view: guard.requires()(view))
django_views("django async function over WSGI", as_django_task)
django_views("django class", django_class)
django_views("django site", None)


def drf_views(name: str, as_view: Callable[[Any, Any, Any], Any]) -> None:
    def build(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
        def made(view: Any) -> Any:
            def shown(request: Any) -> Any:
                body = view()
                return Response(body) if isinstance(body, str) else body

            return as_view([guard.authentication()], [guard.requires()], shown)

        guard = drf.Guard(server)
        found = views(story, call, StreamingHttpResponse)
        public = found.pop("/public")
        routes = [route(p[1:], made(view)) for p, view in found.items()]
        return site([*routes, route("public", lambda request: HttpResponse(public()))])

    WSGI[name] = build


def ninja_views(name: str, auth_of: Callable[[Any], dict[str, Any]]) -> None:
    def build(server: ResourceServer, _: Issuer, story: Story, call: Any) -> Any:
        def made(view: Any) -> Any:
            def shown(request: Any) -> Any:
                body = view()
                return HttpResponse(body) if isinstance(body, str) else body

            return shown

        guard = ninja.Guard(server)
        given = auth_of(guard)
        api = guard.install(NinjaAPI(docs_url=None, openapi_url=None, auth=given.get("all")))
        for p, view in views(story, call, StreamingHttpResponse).items():
            auth = {"auth": None} if p == "/public" else {k: v for k, v in given.items() if k == "auth"}
            api.get(p[1:], **auth)(made(view))
        return site([route("", api.urls)])

    WSGI[name] = build


ninja_views("ninja operation", lambda guard: {"auth": guard.requires()})
ninja_views("ninja router", lambda guard: {"all": guard.requires()})
for door in (drf_doors.View(), drf_doors.Function(), drf_doors.Set()):
    drf_views(door.name, door.home)


def get(app: Any, path: str, token: str | None = None) -> int:
    """The status; served on this thread, as a worker serves one request after the other."""
    fields = [(name.encode(), value.encode()) for name, value in bearer(token).items()]
    return ask_wsgi(app, Sent(path=path, fields=fields))[0].status


@each_way(WSGI)
def test_on_one_thread_each_is_named_where_it_is_served_and_nobody_else(name: str, issuer: Issuer) -> None:
    server, story = issuer.resource_server(), Story()

    def call() -> None:
        for token in (issuer.token("the api"), issuer.expired()):
            get(inner, "/thread", token)
            story.tell("between calls")

    inner, app = (WSGI[name](server, issuer, story, one) for one in (None, call))
    with story.told_of_refusals():
        for path in ("/thread", "/stream", "/call"):
            assert get(app, path, issuer.token("bob")) == 200
            assert who() == ""
            assert get(app, "/public") == 200
        assert get(app, "/thread", issuer.expired()) == 401
        assert get(app, "/public", issuer.token("bob")) == 200
    assert not [line for line in story.lines if line[0] == "public" and line[1]]
    assert [line for line in story.lines if line[0] != "public"] == [
        ("thread", "bob"),
        ("chunk 1", "bob"),
        ("chunk 2", "bob"),
        ("end of stream", "bob"),
        ("before the call", "bob"),
        ("thread", "the api"),
        ("between calls", "bob"),
        ("refused", ""),
        ("between calls", "bob"),
        ("after the call", "bob"),
        ("refused", ""),
    ]
    assert story.nobody_is_left()


# That one keeps Flask's own context open in the thread that it began in.
ANYWHERE = sorted(WSGI.keys() - {"flask view, stream_with_context"})


@each_way(ANYWHERE)
def test_a_body_names_its_own_user_between_chunks_of_others_and_on_another_thread(
    name: str, issuer: Issuer
) -> None:
    story = Story()
    app = WSGI[name](issuer.resource_server(), issuer, story, None)

    def opened(subject: str) -> Any:
        fields = [(b"Authorization", f"Bearer {issuer.token(subject)}".encode())]
        environ = environ_of(Sent(path="/stream", fields=fields))
        return app(environ, lambda status, headers, exc_info=None: None)

    bodies = [opened("ada"), opened("bob")]
    iterators = [iter(body) for body in bodies]
    for _ in range(2):
        for iterator in iterators:
            contextvars.Context().run(next, iterator)
            assert who() == ""
    for body in bodies:
        body.close()
    assert story.lines == [
        *[("chunk 1", "ada"), ("chunk 1", "bob"), ("chunk 2", "ada"), ("chunk 2", "bob")],
        *[("end of stream", "ada"), ("end of stream", "bob")],
    ]
    assert story.nobody_is_left()


# -- all of them -----------------------------------------------------------------------------------------


def test_every_door_is_in_one_of_the_lists() -> None:
    # Those without a request to follow, the documentation's, and those whose own tests say who is served:
    # MCP's tools, aiohttp's and Litestar's.
    others = {"server.authenticate", "server.aauthenticate", "own door"}
    others |= {"mcp tool", "mcp tool with a rule of its own"}
    others |= {door.name for door in DOORS if door.name.startswith(("aiohttp ", "litestar "))}
    assert {door.name for door in DOORS if door.is_http} - others <= {*ASGI, *WSGI}
