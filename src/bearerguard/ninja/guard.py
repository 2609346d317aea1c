"""The `Guard` for Django Ninja: operations, routers and whole APIs."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from bearerguard.django.base import DjangoGuard
from bearerguard.django.serving import begin, left
from bearerguard.guard import Demand
from bearerguard.ninja.auth import BearerAuth
from bearerguard.ninja.document import describe
from bearerguard.ninja.refusal import answer_refusals, challenged
from bearerguard.rules import Rule

__all__ = ["Guard"]

_numbers = itertools.count(1)


class Guard(DjangoGuard):
    """Protects operations of Ninja by rules; an operation finds the token as `request.auth`.

    Examples:
        ```python
        guard = Guard.from_settings()
        api = guard.install(NinjaAPI())


        @api.get("/orders", auth=guard.requires(scope("orders:read")))
        def orders(request):
            return {"hello": request.auth.subject}
        ```
    """

    def requires(self, rule: Rule | None = None) -> BearerAuth:
        """Return an `auth=` for operations, routers and APIs, sync and async.

        Beside other ways to authenticate, a request without a token is left to those.

        Args:
            rule: what the token must fulfil; any valid token by default.
        """
        return self._auth(self.demand(rule))

    def optional(self) -> BearerAuth:
        """Return an `auth=` for operations that serve requests without a token too; a bad one is refused.

        Without one, `request.auth` is `Nobody()`, whose `subject` is None.
        """
        return self._auth(self.demand(optional=True))

    def install(self, api: NinjaAPI) -> NinjaAPI:
        """Have `api` answer as the guard does, document it, and let logs follow its requests to their end.

        Call it before the API's `urls` are asked for.
        """
        answer_refusals(api)
        api.add_decorator(_followed, mode="view")
        original = api.get_openapi_schema

        def get_openapi_schema(**options: Any) -> Any:
            document = original(**options)
            describe(document, self, self._demands)
            return document

        api.get_openapi_schema = get_openapi_schema  # type: ignore[method-assign]  # the way in that there is
        return api

    @functools.cached_property
    def _demands(self) -> dict[str, Demand]:
        """The demands, by the names of the schemes that stand for them until a document is completed."""
        return {}

    def _auth(self, demand: Demand) -> BearerAuth:
        name = f"bearer_{next(_numbers)}"
        self._demands[name] = demand
        auth: BearerAuth = type(name, (BearerAuth,), {})(self, demand)
        return auth


def _followed(run: Callable[..., Any]) -> Callable[..., Any]:
    """Tell `bearerguard.context` when a request to an operation begins and ends."""

    def ended(request: HttpRequest, response: HttpResponse, *, is_first: bool) -> HttpResponse:
        answer: HttpResponse = left(request, challenged(request, response), is_first=is_first)
        return answer

    @functools.wraps(run)
    async def in_task(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        is_first = begin(request)
        return ended(request, await run(request, *args, **kwargs), is_first=is_first)

    @functools.wraps(run)
    def in_thread(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        is_first = begin(request)
        return ended(request, run(request, *args, **kwargs), is_first=is_first)

    return in_task if inspect.iscoroutinefunction(run) else in_thread
