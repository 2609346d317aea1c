"""Views of Flask behind a check: functions, tasks and classes. What is checked, whoever asks for it says."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from flask.views import View

from bearerguard.errors import ConfigurationError

__all__: list[str] = []

V = TypeVar("V", bound=Callable[..., Any])
Check = Callable[[], None]
ACheck = Callable[[], Awaitable[None]]


def behind(check: Check, acheck: ACheck, view: V) -> V:
    """Return a view that is entered only where the check lets it.

    Args:
        check: raises where the current request is refused.
        acheck: the same for a task.
        view: a function, sync or async, or a class of views.

    Raises:
        ConfigurationError: `view` is something else.
    """
    guarded: Any
    if inspect.isclass(view):
        guarded = _class_behind(check, acheck, view)
    elif inspect.iscoroutinefunction(view):
        guarded = _task_behind(acheck, view)
    elif callable(view):
        guarded = _function_behind(check, view)
    else:
        raise ConfigurationError(f"{view!r:.80} is not a view: decorate functions, Views and MethodViews.")
    return cast("V", guarded)


def _class_behind(check: Check, acheck: ACheck, view: type[Any]) -> type[Any]:
    if not issubclass(view, View):
        raise ConfigurationError(f"{view!r:.80} is not a flask View: decorate functions, Views, MethodViews.")

    # Not one of `decorators`: a subclass may well have others in their place.
    def as_view(cls: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        unguarded: Any = super(guarded, cls)
        return behind(check, acheck, unguarded.as_view(name, *args, **kwargs))

    members = {"as_view": classmethod(as_view), "__module__": view.__module__, "__doc__": view.__doc__}
    guarded: Any = type(view.__name__, (view,), members)
    return cast("type[Any]", guarded)


def _function_behind(check: Check, view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        check()
        return view(*args, **kwargs)

    return guarded


def _task_behind(acheck: ACheck, view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        await acheck()
        return await view(*args, **kwargs)

    return guarded
