"""What the guards of Django, of REST framework and of Ninja share: requests, settings, metadata."""

from __future__ import annotations

from typing import Self

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from bearerguard.django.response import as_response, view_of
from bearerguard.django.serving import incoming, remember
from bearerguard.django.settings import configuration
from bearerguard.errors import AuthError
from bearerguard.guard import BaseGuard, Demand
from bearerguard.token import AccessToken

__all__ = ["DjangoGuard"]


class DjangoGuard(BaseGuard):
    """A guard of a site; its subclasses know what a view is."""

    @classmethod
    def from_settings(cls) -> Self:
        """Return a guard with the server, the resource and the rest that the setting `BEARERGUARD` says.

        All guards and middleware of a process that are made like this share one server.

        Raises:
            ConfigurationError: the setting is missing, or `manage.py check` finds an error in it.
        """
        found = configuration()
        guard = cls(found.server, **found.of_guard)
        if found.readiness is not None:
            guard.readiness(found.readiness)
        return guard

    @property
    def urls(self) -> list[URLPattern]:
        """The routes of the guard's endpoints, for `urlpatterns`: the metadata of a `resource`, readiness."""
        return [path(endpoint.path.lstrip("/"), view_of(endpoint)) for endpoint in self.endpoints]

    # -- for views -----------------------------------------------------------------------------------

    def admit_request(self, request: HttpRequest, demand: Demand) -> AccessToken | None:
        """Check a request, and note its token where the application and the logs find it.

        Raises:
            AuthError: the refusal.
        """
        token = self.admit(incoming(request), demand)
        remember(request, token)
        return token

    async def aadmit_request(self, request: HttpRequest, demand: Demand) -> AccessToken | None:
        """The same as `admit_request`, for a task."""
        token = await self.aadmit(incoming(request), demand)
        remember(request, token)
        return token

    def refusal(self, request: HttpRequest, demand: Demand) -> HttpResponse | None:
        """Check a request; return the answer to one that is refused, and None where it may go on."""
        try:
            self.admit_request(request, demand)
        except AuthError as error:
            return as_response(self.answer(error))
        return None

    async def arefusal(self, request: HttpRequest, demand: Demand) -> HttpResponse | None:
        """The same as `refusal`, for a task."""
        try:
            await self.aadmit_request(request, demand)
        except AuthError as error:
            return as_response(self.answer(error))
        return None
