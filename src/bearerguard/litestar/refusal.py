"""A refusal as Litestar sees it: an exception for its handlers, and for WebSockets, which have none."""

from __future__ import annotations

from typing import Any

from litestar.exceptions import HTTPException, WebSocketException
from litestar.response import Response
from litestar.response.base import ASGIResponse

from bearerguard._asgi import POLICY_VIOLATION
from bearerguard.answer import Answer
from bearerguard.errors import AuthError

__all__ = ["RefusedOpening", "RefusedRequest"]


class RefusedRequest(HTTPException):
    """A request is refused. An exception handler of the application may answer it in other words.

    Attributes:
        error: the refusal.
        answer: what the guard that refused answers.
    """

    def __init__(self, error: AuthError, answer: Answer) -> None:
        super().__init__(
            detail=error.description, status_code=error.status, headers=answer.joined_refusal_headers
        )
        self.error = error
        self.answer = answer


class RefusedOpening(WebSocketException):
    """The opening of a WebSocket is refused. Litestar asks no exception handler about it.

    Attributes:
        error: the refusal.
        answer: what the guard that refused answers, where the server can send an answer.
    """

    def __init__(self, error: AuthError, answer: Answer) -> None:
        super().__init__(detail=error.description, code=POLICY_VIOLATION)
        self.error = error
        self.answer = answer


class _Answered(Response[bytes]):
    """A response of Litestar's that is sent as it is written: a field may stand in it twice."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body, status_code=answer.status)
        self._answer = answer

    def to_asgi_response(self, app: Any, request: Any, **_: Any) -> ASGIResponse:  # noqa: ARG002 - Litestar's
        """Return what is sent."""
        status, headers, body = self._answer
        return ASGIResponse(body=body, status_code=status, headers=headers)


def answered(_: Any, refused: Any) -> Response[Any]:
    """Answer as the guard says: the exception handler that the plugin installs."""
    return _Answered(refused.answer)
