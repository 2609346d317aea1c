"""The doors of Flask, each in one of the ways of its framework."""

from __future__ import annotations

from typing import Any, ClassVar

import flask as flask_framework
import flask_restx
from flask.views import MethodView, View

from bearerguard import flask
from tests.doors_under_test.door import METHODS, Api, Door
from tests.doors_under_test.exchange import ask_wsgi


class FlaskDoor(Door):
    ask = staticmethod(ask_wsgi)
    guard = flask.Guard
    joins_fields = True

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


class FunctionView(FlaskDoor):
    name = "flask view"

    def add(self, app: flask_framework.Flask, decorate: Any, view: Any, guard: flask.Guard, api: Api) -> None:
        app.add_url_rule("/", "home", decorate(view), methods=METHODS)


class AsyncView(FlaskDoor):
    name = "flask async view"

    def add(self, app: flask_framework.Flask, decorate: Any, view: Any, guard: flask.Guard, api: Api) -> None:
        async def home() -> Any:
            await api.enter_async("/")
            return api.content(guard.token_or_none())

        app.add_url_rule("/", "home", decorate(home), methods=METHODS)


class ViewClass(FlaskDoor):
    name = "flask view class"

    def add(self, app: flask_framework.Flask, decorate: Any, view: Any, guard: flask.Guard, api: Api) -> None:
        @decorate
        class Home(View):
            methods: ClassVar[Any] = METHODS

            def dispatch_request(self) -> Any:
                return view()

        app.add_url_rule("/", view_func=Home.as_view("home"))


class ViewOfMethods(FlaskDoor):
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


class Blueprint(FlaskDoor):
    name = "flask blueprint"
    has_optional = False

    def add(self, app: flask_framework.Flask, decorate: Any, view: Any, guard: flask.Guard, api: Api) -> None:
        blueprint = flask_framework.Blueprint("orders", "api")
        guard.protect(blueprint, api.rule)
        blueprint.add_url_rule("/", "home", view, methods=METHODS)
        app.register_blueprint(blueprint)


class Application(FlaskDoor):
    name = "flask application"
    has_optional = False
    is_whole = True

    def add(self, app: flask_framework.Flask, decorate: Any, view: Any, guard: flask.Guard, api: Api) -> None:
        guard.protect(app, api.rule, {"/health"})
        app.add_url_rule("/", "home", view, methods=METHODS)


class RestxResource(FlaskDoor):
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
