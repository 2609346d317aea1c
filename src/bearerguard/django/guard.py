"""The `Guard` for Django: functions and classes of views, sync and async."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from bearerguard.django.base import DjangoGuard
from bearerguard.django.views import behind
from bearerguard.guard import Demand
from bearerguard.rules import Rule

__all__ = ["Guard"]

V = TypeVar("V", bound=Callable[..., Any])


class Guard(DjangoGuard):
    """Protects Django views by rules; a view finds the token as `request.auth`.

    Examples:
        ```python
        guard = Guard(ResourceServer(Provider("https://login.example", audience="https://api.example")))


        @guard.requires(scope("orders:read"))
        def orders(request):
            return JsonResponse({"hello": request.auth.subject})


        urlpatterns = [*guard.urls, path("orders", orders)]
        ```
    """

    def requires(self, rule: Rule | None = None) -> Callable[[V], V]:
        """Return a decorator for views, sync or async, for classes of views and for their methods.

        It exempts a view from Django's CSRF check and from `LoginRequiredMiddleware`: nobody enters without a
        token, which no browser sends by itself.

        Args:
            rule: what the token must fulfil; any valid token by default.
        """
        return self._behind(self.demand(rule), is_exempt=True)

    def optional(self) -> Callable[[V], V]:
        """Return a decorator for views that serve requests without a token too; a bad one is refused.

        Without one `request.auth` is None. Django's CSRF check stays: such a request may have a session.
        """
        return self._behind(self.demand(optional=True), is_exempt=False)

    def _behind(self, demand: Demand, *, is_exempt: bool) -> Callable[[V], V]:
        check = functools.partial(self.refusal, demand=demand)
        return functools.partial(behind, check, functools.partial(self.arefusal, demand=demand), is_exempt)
