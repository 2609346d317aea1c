"""How an endpoint that clients ask says no: an error of RFC 6749 section 5.2."""

from __future__ import annotations

from bearerguard.testing.exchange import Response

__all__ = ["Refused"]


class Refused(Exception):
    """The request is refused, with an error code of RFC 6749 section 5.2 and a sentence for people."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.response: Response = Response.json(
            status,
            {"error": error, "error_description": description},
            ("Cache-Control", "no-store"),
            *([("WWW-Authenticate", 'Basic realm="token"')] if status == 401 else []),
        )
