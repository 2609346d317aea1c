"""Who makes a request to a view of REST framework: the verified token, and the user that stands for it.

A request without a token is anybody's here; permissions say whether it may go on.
"""

from __future__ import annotations

import functools
from typing import Any, ClassVar

from rest_framework.request import Request

from bearerguard.answer import challenges
from bearerguard.django.base import DjangoGuard
from bearerguard.django.serving import begin, left
from bearerguard.drf._bases import BaseAuthentication
from bearerguard.drf.refusal import finally_, refused
from bearerguard.errors import AuthError, MissingCredentials
from bearerguard.guard import Demand
from bearerguard.token import AccessToken

__all__: list[str] = []

_ANY_TOKEN = Demand(is_constant=True)


class BearerAuthentication(BaseAuthentication):
    """Sets `request.auth` to the verified token, and `request.user` to who stands for it.

    Each guard makes a subclass, which REST framework instantiates.
    """

    guard: ClassVar[DjangoGuard]
    as_user: ClassVar[Any]

    def authenticate(self, request: Request) -> tuple[Any, AccessToken] | None:
        """Return the user and the token of a request; None where it has no token.

        Raises:
            RefusedRequest: its token is bad, or cannot be checked just now.
        """
        http = request._request  # noqa: SLF001 - Django's own, which REST framework wraps
        finally_(request, functools.partial(left, http, is_first=begin(http)))
        try:
            token = self.guard.admit_request(http, _ANY_TOKEN)
        except MissingCredentials as missing:
            request.bearerguard_missing = missing  # for a permission that is not content with it
            return None
        except AuthError as error:
            raise refused(error, self.guard, request) from error
        return None if token is None else (self.as_user(token), token)

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - as REST framework calls it
        """Return the challenge for permissions that are not a guard's."""
        missing = MissingCredentials("no_credentials", "The Authorization header is missing.")
        return challenges(missing, self.guard.context)[0][1]
