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


current: ContextVar[Serving | _Weakly | None] = ContextVar("bearerguard.context.current", default=None)
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
        current.reset(self.before)


class _Weakly:
    """A request of whose end nobody tells us: it is over when its scope or environ is gone."""

    __slots__ = ("_is_served", "outer", "request")

    def __init__(
        self, request: Serving, outer: Serving | _Weakly | None, is_served: Callable[[Serving], bool] | None
    ) -> None:
        self.request = weakref.ref(request)
        self.outer = outer
        self._is_served = is_served

    def found(self) -> Serving | None:
        """The request, where it is the one that is being served."""
        request = self.request()
        return None if request is None or not (self._is_served or _always)(request) else request


def _always(_: Serving) -> bool:
    return True


def verified_token() -> AccessToken | None:
    """Return the verified token of the request that is being served; None outside of one, or where none is.

    Example:
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


def note(
    where: MutableMapping[str, Any],
    token: AccessToken | None,
    is_served: Callable[[Serving], bool] | None = None,
) -> None:
    """Say which token stands behind the request of a scope or an environ, from within its route.

    For doors that learn of a request when it has begun, and not when it ends.

    Args:
        where: the scope or the environ.
        token: the verified token.
        is_served: says whether a request is the one that is being served, where the framework knows: what was
            said stays in the context of the thread, and another request may come before this one ends.
    """
    request: Serving | None = where.get(SERVING)
    if request is not None and not request.is_over:
        request.token = token
        return
    request = where[SERVING] = Serving(token)
    outer = request.outer
    while outer is not None and _is_over(outer):  # or the chain would grow along a connection
        outer = outer.outer
    current.set(_Weakly(request, outer, is_served))


def _is_over(place: Serving | _Weakly) -> bool:
    request = place if isinstance(place, Serving) else place.request()
    return request is None or request.is_over
