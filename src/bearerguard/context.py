"""Which verified token stands behind the request that is being served: for logs, traces and audit.

A door says so; nothing here verifies a token. The token follows the request and ends with it: a context
that leaks into another task, or into the next request of a connection, leads to nobody once the request is
over, and a request that is served within another one hides that one only meanwhile.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from typing import Any, Self

from msgspec import Struct, field

from bearerguard.token import AccessToken

__all__ = ["Serving", "verified_token"]

SERVING = "bearerguard.serving"
"""Where a scope or an environ has its `Serving`."""


current: ContextVar[Serving | _Place | None] = ContextVar("bearerguard.context.current", default=None)
"""The request being served, innermost first."""


class Serving(Struct, weakref=True, eq=False):
    """A request that is being served, and the token behind it. Made by doors, one for each request.

    In its `with` block `verified_token` finds this token and no other; at its end the request is over.

    Attributes:
        token: the verified token; None before there is one, and where nobody is known.
        is_over: whether the request has ended: code that still holds its context finds nobody in it.
        outer: the request in which this one is served, where a program calls itself.
        before: what ends its `with` block.
    """

    token: AccessToken | None = None
    outer: Any = field(default_factory=current.get)
    is_over: bool = False
    before: Any = None

    def end(self) -> None:
        """The request is over."""
        self.token = None
        self.is_over = True

    def __enter__(self) -> Self:
        self.before = current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.token = None
        self.is_over = True
        if self.before is not None:  # None where only the end is told: of a stack that it was pushed on
            current.reset(self.before)


class _Place(Struct):
    """Leads to the request, where its end is not told in the context in which it began.

    Attributes:
        found: returns the request, or None. Either a weak reference: the request is over once its scope or
            environ is gone. Or a function that asks the framework which request it is serving.
        outer: as in `Serving`.
    """

    found: Callable[[], Serving | None]
    outer: Serving | _Place | None


def verified_token() -> AccessToken | None:
    """Return the verified token of the request that is being served; None outside of one, or where none is.

    Examples:
        ```python
        token = verified_token()
        audit.write(who=token.subject if token else None)
        ```
    """
    place = current.get()
    while place is not None:
        request = place if isinstance(place, Serving) else place.found()
        if request is not None and not request.is_over:
            return request.token
        place = place.outer
    return None


def note(where: MutableMapping[str, Any], token: AccessToken | None) -> None:
    """Say which token stands behind the request of a scope or an environ, from within its route.

    For doors that learn of a request when it has begun, and not when it ends.

    Args:
        where: the scope or the environ.
        token: the verified token.
    """
    request: Serving | None = where.get(SERVING)
    if request is None or request.is_over:
        request = begin(where)
    request.token = token


def begin(where: MutableMapping[str, Any], *, is_told: bool = False) -> Serving:
    """Say that the request of a scope or an environ is being served from now on, with nobody behind it yet.

    Args:
        where: the scope or the environ.
        is_told: whether the door sees to it that the request is ended. If not, it is also over when its scope
            or environ is gone.
    """
    request = where[SERVING] = Serving(None, _not_over(current.get()))
    current.set(request if is_told else _Place(weakref.ref(request), request.outer))
    return request


def begin_asked(where: MutableMapping[str, Any], found: Callable[[], Serving | None]) -> Serving:
    """The same, where the framework is asked which request it is serving whenever somebody wants to know.

    A thread's context is written once, and holds for the requests that follow. Within another request it is
    written for this one only: the framework may come back to a request of its own that is further out.

    Args:
        where: the environ.
        found: returns the request that is being served; None outside of one, and where it was not begun here.
    """
    place = current.get()
    is_said = isinstance(place, _Place) and place.found is found
    outer = None if is_said else _not_over(place)
    request = where[SERVING] = Serving(None, outer)
    if not is_said:
        shown = found if outer is None else lambda: request if found() is request else None
        current.set(_Place(shown, outer))
    return request


def end_noted() -> None:
    """End the innermost request of this context that `note` began; a framework that is asked ends its own.

    For doors that are told, in the thread of a request, that one ends, and not which.
    """
    place = current.get()
    while isinstance(place, _Place) and not isinstance(place.found, weakref.ref):
        place = place.outer
    if isinstance(place, _Place):
        request = place.found()
        if request is not None:
            request.end()
        current.set(place.outer)


def _not_over(place: Serving | _Place | None) -> Serving | _Place | None:
    """The innermost place whose request is being served; kept, the others would be a chain that grows."""
    while place is not None:
        request = place if isinstance(place, Serving) else place.found()
        if request is not None and not request.is_over:
            return place
        place = place.outer
    return None
