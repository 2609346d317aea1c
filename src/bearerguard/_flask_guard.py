"""The `Guard` for Flask: views, method views, async views, blueprints and whole applications."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import flask
from flask.views import View
from werkzeug.exceptions import HTTPException

from bearerguard.answer import Answer
from bearerguard.errors import AuthError, ConfigurationError
from bearerguard.guard import BaseGuard
from bearerguard.logging import current
from bearerguard.rules import Rule
from bearerguard.token import AccessToken
from bearerguard.wsgi import full_path, headers_of

V = TypeVar("V", bound=Callable[..., Any])
_TOKEN = "bearerguard.token"


class RefusedRequest(HTTPException):
    """A refusal as Flask raises it: it answers as the guard does, and error handlers may look at `error`."""

    def __init__(self, error: AuthError, answer: Answer) -> None:
        super().__init__(error.description, flask.Response(answer.body, answer.status, answer.headers))
        self.code = error.status
        self.error = error


class Guard(BaseGuard):
    """Protects Flask views by rules.

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

        Args:
            part: the application, or a blueprint before it is registered.
            rule: what tokens must fulfil; any sound token by default.
            public_paths: exact full paths that need no token.
        """
        rule = self.remember(rule)
        public = frozenset((public_paths,) if isinstance(public_paths, str) else public_paths)
        metadata = frozenset(self.metadata_paths)

        def admit() -> None:
            path = full_path(flask.request.environ)
            if path not in public and path not in metadata:
                self._admit(rule)

        part.before_request(admit)

    def install(self, app: flask.Flask) -> flask.Flask:
        """Serve the resource's metadata (RFC 9728) from `app`, where the guard has a `resource`."""
        for number, path in enumerate(self.metadata_paths):
            app.add_url_rule(
                path, f"bearerguard_resource_metadata_{number}", self._serve_metadata, methods=["GET"]
            )
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
        return _noted()

    def _serve_metadata(self) -> flask.Response:
        status, headers, body = self.metadata_answer()
        return flask.Response(body, status, headers)

    # -- views ---------------------------------------------------------------------------------------

    def _guarded(self, view: V, rule: Rule | None) -> V:
        guarded: Any
        if inspect.isclass(view):
            if not issubclass(view, View):
                raise ConfigurationError(
                    f"{view!r} is no flask View: decorate functions, Views, MethodViews."
                )
            decorate = functools.partial(self._guarded, rule=rule)
            guarded = type(
                view.__name__, (view,), {"decorators": [*view.decorators, decorate], "__doc__": view.__doc__}
            )
        elif inspect.iscoroutinefunction(view):
            guarded = self._guarded_task(view, rule)
        else:
            guarded = self._guarded_function(view, rule)
        return cast("V", guarded)

    def _guarded_function(self, view: Callable[..., Any], rule: Rule | None) -> Callable[..., Any]:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            self._admit(rule)
            return view(*args, **kwargs)

        return guarded

    def _guarded_task(self, view: Callable[..., Any], rule: Rule | None) -> Callable[..., Any]:
        @functools.wraps(view)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            headers = headers_of(flask.request.environ)
            _note(None)
            try:
                if rule is None:
                    _note(await self.acheck_optional(headers))
                else:
                    _note(await self.acheck(headers, rule))
            except AuthError as error:
                raise RefusedRequest(error, self.answer(error)) from error
            return await view(*args, **kwargs)

        return guarded

    def _admit(self, rule: Rule | None) -> None:
        """Check the current request, and note its token where the application and the logs find it."""
        headers = headers_of(flask.request.environ)
        _note(None)
        try:
            _note(self.check_optional(headers) if rule is None else self.check(headers, rule))
        except AuthError as error:
            raise RefusedRequest(error, self.answer(error)) from error


def _note(token: AccessToken | None) -> None:
    # flask.g ends with the request; a context variable would outlive it on the server's thread.
    setattr(flask.g, _TOKEN, token)
    current.set(_noted)


def _noted() -> AccessToken | None:
    return flask.g.get(_TOKEN) if flask.has_request_context() else None
