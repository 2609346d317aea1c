"""Views of Django behind a check: functions, tasks, methods and classes. The guard says what is checked."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.views import View

from bearerguard.django.response import allowed_methods
from bearerguard.django.serving import begin, left
from bearerguard.errors import ConfigurationError

__all__: list[str] = []

V = TypeVar("V", bound=Callable[..., Any])
Check = Callable[[HttpRequest], HttpResponse | None]
ACheck = Callable[[HttpRequest], Awaitable[HttpResponse | None]]


def behind(check: Check, acheck: ACheck, is_exempt: bool, view: V) -> V:
    """Return a view that is entered only where the check lets it.

    Args:
        check: returns the answer to a request that is refused, and None where it may enter.
        acheck: the same for a task.
        is_exempt: whether nobody enters without a token, so that a session opens nothing that a page of
            somebody else could abuse: then Django's CSRF check has nothing to protect.
        view: a function, sync or async, a method, or a class of views.

    Raises:
        ConfigurationError: `view` is something else.
    """
    if inspect.isclass(view):
        return cast("V", _class_behind(check, acheck, is_exempt, view))
    if not callable(view):
        raise ConfigurationError(
            f"{view!r:.80} is not a view: decorate functions and Views; for all of a site, put "
            "'bearerguard.django.Middleware' into MIDDLEWARE."
        )

    @functools.wraps(view)
    async def task(*args: Any, **kwargs: Any) -> Any:
        request = _request_of(args)
        is_first = begin(request)
        answer = allowed_methods(view) if is_preflight(request) else await acheck(request)
        if answer is None:
            answer = view(*args, **kwargs)
            if inspect.isawaitable(answer):
                answer = await answer
        return left(request, answer, is_first=is_first)

    @functools.wraps(view)
    def function(*args: Any, **kwargs: Any) -> Any:
        if _is_awaited(view, args):
            return task(*args, **kwargs)
        request = _request_of(args)
        is_first = begin(request)
        answer = allowed_methods(view) if is_preflight(request) else check(request)
        if answer is None:
            answer = view(*args, **kwargs)
        return left(request, answer, is_first=is_first)

    is_async = iscoroutinefunction(view)  # pyright: ignore[reportDeprecated]  # only asyncio's is
    guarded: Any = task if is_async else function
    guarded.login_required = False  # as `login_not_required` does: whoever enters has shown a token
    if is_exempt:
        guarded.csrf_exempt = True
    return cast("V", guarded)


def is_preflight(request: HttpRequest) -> bool:
    """Whether a browser asks what it may send, which it does without credentials.

    The guard answers by itself: no line of a view runs for it.
    """
    return request.method == "OPTIONS" and "HTTP_AUTHORIZATION" not in request.META


def _class_behind(check: Check, acheck: ACheck, is_exempt: bool, view: type[Any]) -> type[Any]:
    if not issubclass(view, View):
        raise ConfigurationError(f"{view!r:.80} is not a Django View: decorate functions and Views.")

    # Not `dispatch`: a subclass may well have another, and of an async view it is a plain function.
    def as_view(cls: Any, /, **initkwargs: Any) -> Any:
        unguarded: Any = super(guarded, cls)
        return behind(check, acheck, is_exempt, unguarded.as_view(**initkwargs))

    members = {
        "as_view": classmethod(as_view),
        "__module__": view.__module__,
        "__qualname__": view.__qualname__,
        "__doc__": view.__doc__,
    }
    guarded: Any = type(view.__name__, (view,), members)
    return cast("type[Any]", guarded)


def _request_of(args: tuple[Any, ...]) -> HttpRequest:
    """The request, which is the second argument of a method."""
    return args[0] if hasattr(args[0], "META") else args[1]


def _is_awaited(view: Any, args: tuple[Any, ...]) -> bool:
    """Whether a plain function is the `dispatch` of an async class, whose answer Django awaits.

    `method_decorator` hands it over as a bound method, a decorator in the class as a function.
    """
    owner = getattr(getattr(view, "func", view), "__self__", args[0])
    return isinstance(owner, View) and owner.view_is_async
