"""The doors that every test of this folder goes through: each puts the same small API behind itself.

A door is a small class: `app` builds the application in the way of its framework, which enters `Api` at `/`
(protected, or with optional credentials) and at `/health` (public), and says nothing but what `Api` says.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import anyio.to_thread
import fastapi as fastapi_framework
import flask as flask_framework
import flask_restx
import pytest
from flask.views import MethodView, View
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute

from bearerguard import AccessToken, ResourceServer, asgi, fastapi, flask, starlette, wsgi
from bearerguard.guard import BaseGuard
from bearerguard.rules import Rule
from tests.conformance.exchange import Answer, Ask, Fields, Request, ask_asgi, ask_wsgi, open_websocket

METHODS = ["GET", "HEAD", "POST"]
log = logging.getLogger("api")


def tell(token: AccessToken | None) -> Any:
    """What the API answers, if a test does not say otherwise."""
    return {"subject": None if token is None else token.subject}


@dataclass
class Api:
    """What stands behind a door. `entered` are the paths at which it was entered, in their order.

    Attributes:
        rule: what `/` asks for, unless credentials are `optional` there.
        view: makes the content of an answer.
        meeting: where several requests wait for each other, within the application.
    """

    rule: Rule | None = None
    optional: bool = False
    view: Callable[[AccessToken | None], Any] = tell
    meeting: threading.Barrier | None = None
    entered: list[str] = field(default_factory=list)

    def enter(self, path: str) -> None:
        self.entered.append(path)
        if self.meeting is not None and path != "/health":
            self.meeting.wait(10)

    async def enter_async(self, path: str) -> None:
        self.entered.append(path)
        if self.meeting is not None and path != "/health":
            await anyio.to_thread.run_sync(self.meeting.wait, 10)

    def content(self, token: AccessToken | None) -> Any:
        log.info("served")
        return self.view(token)


class Door:
    """A way in.

    Attributes:
        name: what tests call it.
        guard: the class of its guard; None where it is no guard's.
        mount: the path at which it stands.
        has_optional: whether credentials may be optional at it.
        has_websockets: whether it can be asked to open one.
        is_whole: whether it protects an application and not only its views, so that also what nobody serves
            is refused.
        words_refusals: whether the body of a refusal is the guard's.
        without_credentials: the status where there are none.
    """

    name: ClassVar[str]
    guard: ClassVar[type[BaseGuard] | None]
    ask: ClassVar[Ask]
    mount: ClassVar[str] = ""
    has_optional: ClassVar[bool] = True
    has_websockets: ClassVar[bool] = False
    is_whole: ClassVar[bool] = False
    words_refusals: ClassVar[bool] = True
    without_credentials: ClassVar[int] = 401

    def app(self, guard: Any, api: Api) -> Any:
        """The application, with the metadata of the resource installed."""
        raise NotImplementedError

    def open(self, server: ResourceServer, rule: Rule | None = None, **options: Any) -> Opened:
        """Build everything.

        Args:
            server: verifies tokens.
            rule: what the API asks for.
            **options: `optional`, `view` and `meeting` for the `Api`, the rest for the guard.
        """
        names = ("optional", "view", "meeting")
        api = Api(rule, **{name: options.pop(name) for name in names if name in options})
        guard = None if self.guard is None else self.guard(server, **options)
        return Opened(self, self.app(server if guard is None else guard, api), api, guard)


@dataclass(frozen=True)
class Opened:
    """A door with the API behind it, to be asked."""

    door: Door
    app: Any
    api: Api
    guard: BaseGuard | None

    def get(self, token: str | None = None, path: str = "/", **changes: Any) -> Answer:
        """The answer to one request, by GET unless `changes` of the `Request` say otherwise."""
        return self.get_all([token], path, **changes)[0]

    def get_all(self, tokens: Sequence[str | None], path: str = "/", **changes: Any) -> list[Answer]:
        """The answers to requests that are sent at the same time."""
        return type(self.door).ask(self.app, *(self.request(token, path, **changes) for token in tokens))

    def websocket(self, token: str | None = None, *, can_be_denied: bool = False, **changes: Any) -> Answer:
        """The answer to the opening of a WebSocket."""
        return open_websocket(self.app, self.request(token, "/ws", **changes), can_be_denied=can_be_denied)

    def request(self, token: str | None, path: str, *, fields: Fields = (), **changes: Any) -> Request:
        sent = fields if token is None else [*fields, *bearer(token)]
        mount = "" if path.startswith("/.well-known") else self.door.mount
        return Request(path=mount + path, fields=sent, **changes)


def bearer(token: str) -> Fields:
    return [(b"Authorization", b"Bearer " + token.encode())]


# -- ASGI ------------------------------------------------------------------------------------------------


class PlainASGI(Door):
    name = "asgi"
    guard = asgi.Guard
    ask = staticmethod(ask_asgi)
    has_websockets = True
    is_whole = True

    def app(self, guard: asgi.Guard, api: Api) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await api.enter_async(scope["path"])
            content = JSONResponse(api.content(scope.get("bearerguard.token")))
            if scope["type"] == "websocket":
                await send({"type": "websocket.accept"})
                await send({"type": "websocket.send", "text": bytes(content.body).decode()})
            else:
                await content(scope, receive, send)

        if api.optional:
            return guard.install(guard.optional()(app))
        return guard.install(guard.protect(app, api.rule, {"/health"}))


class StarletteDoor(Door):
    ask = staticmethod(ask_asgi)
    guard: ClassVar[type[BaseGuard] | None] = starlette.Guard

    def decorator(self, guard: Any, api: Api) -> Any:
        return guard.optional() if api.optional else guard.requires(api.rule)


async def websocket_view(api: Api, guard: Any, websocket: Any) -> None:
    await api.enter_async("/ws")
    await websocket.accept()
    await websocket.send_json(api.content(guard.token_or_none(websocket)))


class StarletteAsyncFunction(StarletteDoor):
    name = "starlette async function"
    has_websockets = True

    def app(self, guard: starlette.Guard, api: Api) -> Any:
        decorate = self.decorator(guard, api)

        async def view(request: HTTPConnection) -> JSONResponse:
            await api.enter_async(request.url.path)
            return JSONResponse(api.content(guard.token_or_none(request)))

        async def opened(websocket: Any) -> None:
            await websocket_view(api, guard, websocket)

        home, health = Route("/", decorate(view), methods=METHODS), Route("/health", view)
        return guard.install(Starlette(routes=[home, health, WebSocketRoute("/ws", decorate(opened))]))


class StarletteFunction(StarletteDoor):
    name = "starlette function"

    def app(self, guard: starlette.Guard, api: Api) -> Any:
        def view(request: HTTPConnection) -> JSONResponse:
            api.enter(request.url.path)
            return JSONResponse(api.content(guard.token_or_none(request)))

        home = Route("/", self.decorator(guard, api)(view), methods=METHODS)
        return guard.install(Starlette(routes=[home, Route("/health", view)]))


class StarletteClass(StarletteDoor):
    name = "starlette class"
    has_websockets = True

    def app(self, guard: starlette.Guard, api: Api) -> Any:
        decorate = self.decorator(guard, api)

        class Open(HTTPEndpoint):
            async def get(self, request: HTTPConnection) -> JSONResponse:
                await api.enter_async(request.url.path)
                return JSONResponse(api.content(guard.token_or_none(request)))

            post = get

        @decorate
        class Closed(Open):
            pass

        @decorate
        class Opened(WebSocketEndpoint):
            async def on_connect(self, websocket: Any) -> None:
                await websocket_view(api, guard, websocket)

        routes = [Route("/", Closed), Route("/health", Open), WebSocketRoute("/ws", Opened)]
        return guard.install(Starlette(routes=routes))


def open_starlette(api: Api, prefix: str = "") -> list[Any]:
    """The routes of the API without any protection of their own."""

    async def view(request: HTTPConnection) -> JSONResponse:
        await api.enter_async(request.url.path.removeprefix(prefix))
        return JSONResponse(api.content(request.scope.get("bearerguard.token")))

    async def opened(websocket: Any) -> None:
        await api.enter_async("/ws")
        await websocket.accept()
        await websocket.send_json(api.content(websocket.scope["bearerguard.token"]))

    home = Route("/", view, methods=METHODS)
    return [home, Route("/health", view), WebSocketRoute("/ws", opened)]


class StarletteMiddleware(StarletteDoor):
    name = "starlette middleware"
    has_optional = False
    has_websockets = True
    is_whole = True

    def app(self, guard: starlette.Guard, api: Api) -> Any:
        app = Starlette(routes=open_starlette(api))
        app.add_middleware(guard.protect, rule=api.rule, public_paths={"/health"})
        return guard.install(app)


class StarletteMount(StarletteDoor):
    name = "starlette mount"
    mount = "/v1"
    has_optional = False
    has_websockets = True
    is_whole = True

    def app(self, guard: starlette.Guard, api: Api) -> Any:
        mounted = Starlette(routes=open_starlette(api, self.mount))
        routes = [Mount(self.mount, guard.protect(mounted, api.rule, {f"{self.mount}/health"}))]
        return guard.install(Starlette(routes=routes))


class StarletteAuthenticate(StarletteDoor):
    name = "starlette AuthenticateMiddleware"
    guard = None
    has_optional = False
    has_websockets = True
    is_whole = True
    without_credentials = 400

    def app(self, guard: Any, api: Api) -> Any:
        protected = Middleware(starlette.AuthenticateMiddleware, server=guard, public_paths={"/health"})
        return Starlette(routes=open_starlette(api), middleware=[protected])


class FastAPIDoor(StarletteDoor):
    guard = fastapi.Guard

    def needed(self, guard: fastapi.Guard, api: Api) -> Any:
        return guard.optional() if api.optional else guard.requires(api.rule)


class FastAPIParameter(FastAPIDoor):
    name = "fastapi parameter"
    has_websockets = True

    def app(self, guard: fastapi.Guard, api: Api) -> Any:
        app = guard.install(fastapi_framework.FastAPI())
        needed = self.needed(guard, api)

        async def home(token: AccessToken | None) -> Any:
            await api.enter_async("/")
            return api.content(token)

        async def health(request: fastapi_framework.Request) -> Any:
            await api.enter_async("/health")
            return api.content(guard.token_or_none(request))

        async def opened(websocket: fastapi_framework.WebSocket, token: AccessToken | None) -> None:
            await websocket_view(api, guard, websocket)

        # Written out, as annotations of this module are text that FastAPI could not resolve in here.
        home.__annotations__["token"] = opened.__annotations__["token"] = Annotated[Any, needed]
        home.__annotations__["return"] = health.__annotations__["return"] = Any
        health.__annotations__["request"] = fastapi_framework.Request
        opened.__annotations__ |= {"websocket": fastapi_framework.WebSocket, "return": None}
        app.api_route("/", methods=METHODS)(home)
        app.get("/health")(health)
        app.websocket("/ws")(opened)
        return app


class FastAPIFunction(FastAPIDoor):
    name = "fastapi function"

    def app(self, guard: fastapi.Guard, api: Api) -> Any:
        app = guard.install(fastapi_framework.FastAPI())

        def view(request: fastapi_framework.Request) -> Any:
            api.enter(request.url.path)
            return api.content(guard.token_or_none(request))

        app.api_route("/", methods=METHODS, dependencies=[self.needed(guard, api)])(view)
        app.get("/health")(view)
        return app


class FastAPIRouter(FastAPIDoor):
    name = "fastapi router"
    has_websockets = True

    def app(self, guard: fastapi.Guard, api: Api) -> Any:
        async def view(request: fastapi_framework.Request) -> Any:
            await api.enter_async(request.url.path)
            return api.content(guard.token_or_none(request))

        async def opened(websocket: fastapi_framework.WebSocket) -> None:
            await websocket_view(api, guard, websocket)

        router = fastapi_framework.APIRouter(dependencies=[self.needed(guard, api)])
        router.api_route("/", methods=METHODS)(view)
        router.websocket("/ws")(opened)
        app = guard.install(fastapi_framework.FastAPI())
        app.include_router(router)
        app.get("/health")(view)
        return app


# -- WSGI ------------------------------------------------------------------------------------------------


class PlainWSGI(Door):
    name = "wsgi"
    guard = wsgi.Guard
    ask = staticmethod(ask_wsgi)
    is_whole = True

    def app(self, guard: wsgi.Guard, api: Api) -> Any:
        def app(environ: Any, start_response: Any) -> Any:
            api.enter(wsgi.full_path(environ))
            content = flask_framework.json.dumps(api.content(environ.get("bearerguard.token"))).encode()
            start_response("200 OK", [("Content-Type", "application/json")])
            return [b"" if environ["REQUEST_METHOD"] == "HEAD" else content]

        if api.optional:
            return guard.install(guard.optional()(app))
        return guard.install(guard.protect(app, api.rule, {"/health"}))


class WSGIGenerator(PlainWSGI):
    name = "wsgi generator"

    def app(self, guard: wsgi.Guard, api: Api) -> Any:
        def app(environ: Any, start_response: Any) -> Any:
            api.enter(wsgi.full_path(environ))
            start_response("200 OK", [("Content-Type", "application/json")])
            content = flask_framework.json.dumps(api.content(environ.get("bearerguard.token"))).encode()
            yield b""
            yield b"" if environ["REQUEST_METHOD"] == "HEAD" else content

        if api.optional:
            return guard.install(guard.optional()(app))
        return guard.install(guard.protect(app, api.rule, {"/health"}))


class FlaskDoor(Door):
    ask = staticmethod(ask_wsgi)
    guard = flask.Guard

    def app(self, guard: flask.Guard, api: Api) -> Any:
        app = flask_framework.Flask("api")
        decorate = guard.optional() if api.optional else guard.requires(api.rule)

        def view() -> Any:
            api.enter(flask_framework.request.path.removeprefix(self.mount))
            return api.content(guard.token_or_none())

        app.add_url_rule(f"{self.mount}/health", "health", view)
        self.add(app, decorate, view, guard, api)
        return guard.install(app).wsgi_app

    def add(self, app: flask_framework.Flask, decorate: Any, view: Any, guard: flask.Guard, api: Api) -> None:
        """Add the protected view, decorated in a way of Flask's."""
        raise NotImplementedError


class FlaskView(FlaskDoor):
    name = "flask view"

    def add(self, app: flask_framework.Flask, decorate: Any, view: Any, guard: flask.Guard, api: Api) -> None:
        app.add_url_rule("/", "home", decorate(view), methods=METHODS)


class FlaskAsyncView(FlaskDoor):
    name = "flask async view"

    def add(self, app: flask_framework.Flask, decorate: Any, view: Any, guard: flask.Guard, api: Api) -> None:
        async def home() -> Any:
            await api.enter_async("/")
            return api.content(guard.token_or_none())

        app.add_url_rule("/", "home", decorate(home), methods=METHODS)


class FlaskViewClass(FlaskDoor):
    name = "flask view class"

    def add(self, app: flask_framework.Flask, decorate: Any, view: Any, guard: flask.Guard, api: Api) -> None:
        @decorate
        class Home(View):
            methods: ClassVar[Any] = METHODS

            def dispatch_request(self) -> Any:
                return view()

        app.add_url_rule("/", view_func=Home.as_view("home"))


class FlaskMethodView(FlaskDoor):
    name = "flask method view"

    def add(self, app: flask_framework.Flask, decorate: Any, view: Any, guard: flask.Guard, api: Api) -> None:
        class Home(MethodView):
            decorators: ClassVar[list[Any]] = [decorate]

            def get(self) -> Any:
                return view()

            async def post(self) -> Any:
                await api.enter_async("/")
                return api.content(guard.token_or_none())

        app.add_url_rule("/", view_func=Home.as_view("home"))


class FlaskBlueprint(FlaskDoor):
    name = "flask blueprint"
    has_optional = False

    def add(self, app: flask_framework.Flask, decorate: Any, view: Any, guard: flask.Guard, api: Api) -> None:
        blueprint = flask_framework.Blueprint("orders", "api")
        guard.protect(blueprint, api.rule)
        blueprint.add_url_rule("/", "home", view, methods=METHODS)
        app.register_blueprint(blueprint)


class FlaskApplication(FlaskDoor):
    name = "flask application"
    has_optional = False
    is_whole = True

    def add(self, app: flask_framework.Flask, decorate: Any, view: Any, guard: flask.Guard, api: Api) -> None:
        guard.protect(app, api.rule, {"/health"})
        app.add_url_rule("/", "home", view, methods=METHODS)


class FlaskRestx(FlaskDoor):
    name = "flask-restx resource"
    mount = "/v1"  # the root is its own
    words_refusals = False  # its Api makes the bodies of all errors alike

    def add(self, app: flask_framework.Flask, decorate: Any, view: Any, guard: flask.Guard, api: Api) -> None:
        restx = flask_restx.Api(app, doc=False)

        @restx.route(f"{self.mount}/")
        @decorate
        class Home(flask_restx.Resource):  # type: ignore[misc]
            def get(self) -> Any:
                return view()

            post = get


# -- all of them -----------------------------------------------------------------------------------------

DOORS: tuple[Door, ...] = (
    PlainASGI(),
    StarletteAsyncFunction(),
    StarletteFunction(),
    StarletteClass(),
    StarletteMiddleware(),
    StarletteMount(),
    StarletteAuthenticate(),
    FastAPIParameter(),
    FastAPIFunction(),
    FastAPIRouter(),
    PlainWSGI(),
    WSGIGenerator(),
    FlaskView(),
    FlaskAsyncView(),
    FlaskViewClass(),
    FlaskMethodView(),
    FlaskBlueprint(),
    FlaskApplication(),
    FlaskRestx(),
)
GUARDS = [door for door in DOORS if door.guard is not None]


def at(doors: Sequence[Door]) -> pytest.MarkDecorator:
    """Run a test at each of these doors."""
    return pytest.mark.parametrize("door", doors, ids=lambda door: door.name)


at_every_door = at(DOORS)
at_every_guard = at(GUARDS)
