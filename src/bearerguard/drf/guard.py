"""The `Guard` for Django REST framework: authentication and permissions of views."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from bearerguard.django.base import DjangoGuard
from bearerguard.drf.authentication import BearerAuthentication
from bearerguard.drf.permission import permission
from bearerguard.drf.user import TokenUser
from bearerguard.errors import ConfigurationError
from bearerguard.rules import Rule
from bearerguard.token import AccessToken

__all__ = ["Guard"]


class Guard(DjangoGuard):
    """Protects views of REST framework by rules; a view finds the token as `request.auth`.

    Examples:
        ```python
        guard = Guard.from_settings()


        class Orders(APIView):
            authentication_classes = [guard.authentication()]
            permission_classes = [guard.requires(scope("orders:read"))]

            def get(self, request):
                return Response({"hello": request.auth.subject})
        ```
    """

    @functools.cached_property
    def _authentication(self) -> dict[Callable[[AccessToken], Any], type[BearerAuthentication]]:
        return {}

    # What views are given is Any, so that it fits whatever types of REST framework a program has installed.
    def authentication(self, user: Callable[[AccessToken], Any] = TokenUser) -> Any:
        """Return a class for `authentication_classes`; where a setting wants a path, keep it in a module.

        With drf-spectacular it is documented too.

        Args:
            user: called with the verified token, returns `request.user`; a `TokenUser` by default.

        Raises:
            ConfigurationError: `user` is not a function.
        """
        if not callable(user):
            raise ConfigurationError(f"user is {user!r:.80}: give a function that takes the AccessToken.")
        if importlib.util.find_spec("drf_spectacular") is not None:
            importlib.import_module("bearerguard.drf.spectacular")  # it registers itself
        if user not in self._authentication:  # one for each, as drf-spectacular tells schemes apart by it
            members = {"guard": self, "as_user": staticmethod(user)}
            self._authentication[user] = type("BearerAuthentication", (BearerAuthentication,), members)
        return self._authentication[user]

    def requires(self, rule: Rule | None = None) -> Any:
        """Return a class for `permission_classes`; combine such by `|`, `&` and `~` as you do rules.

        Args:
            rule: what the token must fulfil; any valid token by default.
        """
        return permission(self, self.demand(rule))

    def optional(self) -> Any:
        """Return a class for `permission_classes` of views that serve requests without a token too.

        Without one `request.auth` is None; a bad one is refused, as wherever `authentication` stands.
        """
        return permission(self, self.demand(optional=True))
