"""The `Guard` for Flask: views, method views, async views, blueprints and whole applications."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import flask
from flask.views import View
from werkzeug.datastructures import Headers

from bearerguard.answer import Answer
from bearerguard.errors import AuthError, ConfigurationError
from bearerguard.flask.request import RefusedRequest, admission, note, noted, refused
from bearerguard.guard import METADATA_METHODS, BaseGuard, paths
from bearerguard.rules import Rule
from bearerguard.token import AccessToken
from bearerguard.wsgi import path_of

V = TypeVar("V", bound=Callable[..., Any])


class Guard(BaseGuard):
    """Protects Flask views by rules.

    A view that is refused is not entered: `RefusedRequest` is raised, which answers as the guard does unless
    the application has an error handler for it.

    Example:
        >>> guard = Guard(ResourceServer(Provider(...)))  # doctest: +SKIP
        >>> @app.get("/orders")  # doctest: +SKIP
        ... @guard.requires(scope("orders:read"))
        ... def orders():
        ...     return {"hello": guard.token().subject}
    """

    def requires(self, rule: Rule | None = None) -> Callable[[V], V]:
        """Return a decorator for views, sync or async, and for view classes.

        It stands below the route's decorator, or the route would not see it.

        Args:
            rule: what the token must fulfil; any sound token by default.
        """
        rule = self.remember(rule)
        return lambda view: self._guarded(view, rule)

    def optional(self) -> Callable[[V], V]:
        """Return a decorator for views that serve requests without a token too; a bad one is refused."""
        return lambda view: self._guarded(view, None)

    def protect(
        self, part: flask.Flask | flask.Blueprint, rule: Rule | None = None, public_paths: Iterable[str] = ()
    ) -> None:
        """Protect every view of an application or a blueprint.

        The resource's metadata, and Flask's own answers to OPTIONS, which a browser asks for without
        credentials, are given to everybody.

        Args:
            part: the application, or a blueprint before it is registered.
            rule: what tokens must fulfil; any sound token by default.
            public_paths: exact paths that need no token, as routes name them: without the mount of the whole.
        """
        rule, public = self.remember(rule), paths(public_paths)

        def admit() -> None:
            request = flask.request
            if request.endpoint in self._metadata_endpoints or path_of(request.environ) in public:
                return
            if request.method == "OPTIONS" and getattr(request.url_rule, "provide_automatic_options", False):
                return
            self._admit(rule)

        part.before_request(admit)

    def install(self, app: flask.Flask) -> flask.Flask:
        """Serve the resource's metadata (RFC 9728) from `app`, where the guard has a `resource`."""
        for endpoint, path in self._metadata_endpoints.items():
            if endpoint not in app.view_functions:  # of two resources, the first has the path that both have
                app.add_url_rule(path, endpoint, self._serve_metadata, methods=METADATA_METHODS)
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
        return noted()

    @property
    def _metadata_endpoints(self) -> dict[str, str]:
        """Flask's names of the metadata's views, with their paths."""
        return {f"oauth-protected-resource {path}": path for path in self.metadata_paths}

    def _serve_metadata(self) -> flask.Response:
        return _response(self.metadata_answer(flask.request.method))

    # -- views ---------------------------------------------------------------------------------------

    def _guarded(self, view: V, rule: Rule | None) -> V:
        guarded: Any
        if inspect.isclass(view):
            guarded = self._guarded_class(view, rule)
        elif inspect.iscoroutinefunction(view):
            guarded = self._guarded_task(view, rule)
        elif callable(view):
            guarded = self._guarded_function(view, rule)
        else:
            raise ConfigurationError(f"{view!r:.80} is no view: decorate functions, Views and MethodViews.")
        return cast("V", guarded)

    def _guarded_class(self, view: type[Any], rule: Rule | None) -> type[Any]:
        if not issubclass(view, View):
            raise ConfigurationError(f"{view!r} is no flask View: decorate functions, Views, MethodViews.")
        decorate = functools.partial(self._guarded, rule=rule)
        # Flask applies them in their order: the last one is entered first.
        members = {"decorators": [*view.decorators, decorate], "__module__": view.__module__}
        return type(view.__name__, (view,), {**members, "__doc__": view.__doc__})

    def _guarded_function(self, view: Callable[..., Any], rule: Rule | None) -> Callable[..., Any]:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            self._admit(rule)
            return view(*args, **kwargs)

        return guarded

    def _guarded_task(self, view: Callable[..., Any], rule: Rule | None) -> Callable[..., Any]:
        @functools.wraps(view)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            with admission(self._refused) as headers:
                note(await (self.acheck_optional(headers) if rule is None else self.acheck(headers, rule)))
            return await view(*args, **kwargs)

        return guarded

    def _admit(self, rule: Rule | None) -> None:
        """Check the current request, and note its token where the application and the logs find it."""
        with admission(self._refused) as headers:
            note(self.check_optional(headers) if rule is None else self.check(headers, rule))

    def _refused(self, error: AuthError) -> RefusedRequest:
        answer = self.answer(error)
        challenge = [(name, value) for name, value in answer.headers if not name.startswith("Content-")]
        return refused(error, challenge, description=error.description, response=_response(answer))


def _response(answer: Answer) -> flask.Response:
    response = flask.Response(answer.body, answer.status)
    response.headers = Headers(answer.headers)  # without the type that Werkzeug gives to no content too
    return response
