"""A refusal as Ninja sees it: an error of its own kind, whose challenge survives its handlers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError

from bearerguard.answer import Answer
from bearerguard.django.response import as_response, complete
from bearerguard.errors import AuthError

__all__ = ["RefusedRequest"]

_REFUSAL = "_bearerguard_refusal"


class RefusedRequest(HttpError):
    """A request is refused. Also an `HttpError` of its status, for handlers that know that one.

    Attributes:
        error: why.
        answer: what the guard would answer.
    """

    def __init__(self, error: AuthError, answer: Answer) -> None:
        super().__init__(answer.status, error.description)
        self.error = error
        self.answer = answer


def note_refusal(request: HttpRequest, refusal: RefusedRequest) -> RefusedRequest:
    """Remember the refusal of a request, for its answer, whoever words that."""
    setattr(request, _REFUSAL, refusal)
    return refusal


def challenged(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Add the challenge that the answer to a refused request may lack."""
    refusal: RefusedRequest | None = getattr(request, _REFUSAL, None)
    # An answer of another status is about something else: another way to authenticate may have let it in.
    if refusal is None or response.status_code != refusal.answer.status:
        return response
    return complete(response, refusal.answer.refusal_headers)


def answer_refusals(api: NinjaAPI) -> None:
    """Have an API answer as the guard does that refuses a request, but for handlers of its own."""

    def answered(request: HttpRequest, error: Any) -> HttpResponse:
        refusal = error if isinstance(error, RefusedRequest) else getattr(request, _REFUSAL, None)
        if refusal is not None:
            return as_response(refusal.answer)
        return api.create_response(request, {"detail": str(error)}, status=401)  # as Ninja itself does

    api.add_exception_handler(RefusedRequest, answered)
    api.add_exception_handler(AuthenticationError, answered)
