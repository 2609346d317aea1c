"""A refusal as REST framework sees it: an exception of its own kind, whose challenge survives its handlers.

Not `AuthenticationFailed`, whose challenge is the first authenticator's, or a 403 where that has none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from bearerguard.answer import Answer
from bearerguard.django.base import DjangoGuard
from bearerguard.django.response import complete
from bearerguard.drf._bases import APIException
from bearerguard.errors import AuthError

__all__ = ["RefusedRequest"]


class RefusedRequest(APIException):
    """A request is refused. REST framework renders it in the format that the client asked for.

    Attributes:
        error: why.
        detail: what the guard's `body` says, parsed where it is JSON.
        auth_header: the first challenge; a handler of the program's own need not write it.
        wait: seconds after which it is worth trying again.
    """

    def __init__(self, error: AuthError, answer: Answer) -> None:
        code = error.code or error.reason
        super().__init__(error.description, code)
        self.error = error
        self.status_code: int = answer.status
        fields = dict(reversed(answer.refusal_headers))  # of two challenges, the first
        self.auth_header: str = fields["WWW-Authenticate"]
        self.wait: int | None = int(fields["Retry-After"]) if "Retry-After" in fields else None
        media_type = dict(answer.headers)["Content-Type"].partition(";")[0]
        if media_type.endswith("json"):
            self.detail: Any = _detailed(json.loads(answer.body), code)
        else:
            self.detail = ErrorDetail(answer.body.decode("utf-8", "replace"), code)


def refused(error: AuthError, guard: DjangoGuard, request: Request) -> RefusedRequest:
    """Return the exception for a refusal, with a challenge that stays whatever words the answer."""
    answer = guard.answer(error)

    def challenged(response: Response) -> Response:
        # An answer of another status is about something else.
        return (
            complete(response, answer.refusal_headers) if response.status_code == answer.status else response
        )

    finally_(request, challenged)
    return RefusedRequest(error, answer)


def finally_(request: Request, change: Callable[[Response], Response]) -> None:
    """Have the response to a request changed when its view has made it, be it from an exception."""
    view = request.parser_context.get("view")
    if view is None:  # a request that a program made by itself
        return
    finalize = view.finalize_response

    def finalize_response(*args: Any, **kwargs: Any) -> Response:
        return change(finalize(*args, **kwargs))

    view.finalize_response = finalize_response


def _detailed(content: Any, code: str) -> Any:
    """The same, with its texts as REST framework has them."""
    if isinstance(content, dict):
        return {name: _detailed(value, code) for name, value in content.items()}
    return ErrorDetail(content, code) if isinstance(content, str) else content
