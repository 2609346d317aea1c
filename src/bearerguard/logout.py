"""`BackChannelLogout`: the address at which a provider tells an API that a user has logged out.

A value that a guard is given; every door serves it. It reads the form and words the answer: what a logout
token is worth, the server says.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator
from typing import Any, final
from urllib.parse import parse_qsl

from bearerguard._limits import MAX_LOGOUT_BYTES
from bearerguard.answer import Answer
from bearerguard.endpoints import Endpoint, EndpointRequest, PendingAnswer, check_path, json_answer
from bearerguard.errors import AuthError, ConfigurationError
from bearerguard.server import Driven, ResourceServer

__all__ = ["BackChannelLogout"]

_METHODS = ("POST", "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
"""All are answered, so that whoever sends another than POST is told which one it is."""
_NO_STORE = ("Cache-Control", "no-store")
_EMPTY = (("Content-Type", "text/plain"), ("Content-Length", "0"))


@final
@dataclasses.dataclass(frozen=True)
class BackChannelLogout:
    """Takes the logout tokens of providers (OpenID Connect Back-Channel Logout 1.0).

    The tokens of the session that a logout token names are refused afterwards; where it names none, those of
    the user that were issued up to it.

    Args:
        path: where providers send them.
        client_id: the client at the provider for which this address is registered, whose logouts these are:
            logout tokens have it in `aud`, and not the audience of the API.
        require_exp: whether a logout token needs an `exp`; issuers from before the errata of the
            specification leave it out.

    Raises:
        ConfigurationError: for a path that not all frameworks serve as it stands, or without a client id.

    Examples:
        ```python
        server = ResourceServer(provider, revocation=Revocation())
        guard = Guard(server, endpoints=[BackChannelLogout("/logout", client_id="orders-web")])
        ```
    """

    path: str
    _: dataclasses.KW_ONLY
    client_id: str
    require_exp: bool = True

    def __post_init__(self) -> None:
        check_path(self.path, "BackChannelLogout is asked for at", "/logout")
        if not isinstance(self.client_id, str) or not self.client_id:
            raise ConfigurationError(
                f"BackChannelLogout: client_id is {self.client_id!r:.80}: give the client that the provider "
                "tells of logouts, as logout tokens have it in aud."
            )
        if self.require_exp.__class__ is not bool:
            raise ConfigurationError(
                f"BackChannelLogout: require_exp is {self.require_exp!r:.80}: give True or False."
            )

    def endpoint(self, server: ResourceServer) -> Endpoint:
        """Return the endpoint, for a guard of this server.

        Raises:
            ConfigurationError: the server takes nothing back.
        """
        if server.revocation is None:
            raise ConfigurationError(
                "BackChannelLogout takes tokens back, and this server does not: build it as "
                "ResourceServer(..., revocation=Revocation())."
            )

        def respond(request: EndpointRequest) -> Answer | PendingAnswer:
            if request.method != "POST":
                return Answer(405, [("Allow", "POST"), *_EMPTY, _NO_STORE], b"")
            token = _token_in(request)
            if token is None:
                return _refused("The body is not a form with one logout_token.")
            return _Answering(server.log_out(token, client_id=self.client_id, require_exp=self.require_exp))

        return Endpoint(self.path, _METHODS, respond, max_body=MAX_LOGOUT_BYTES)


class _Answering:
    """The answer to a logout token, once the server has decided."""

    def __init__(self, outcome: Driven[None]) -> None:
        self._outcome = outcome

    def wait(self) -> Answer:
        """Return it; block the thread meanwhile."""
        try:
            self._outcome.wait()
        except AuthError as error:
            return _answer_to(error)
        return _DONE

    def __await__(self) -> Generator[Any, Any, Answer]:
        try:
            yield from self._outcome.__await__()
        except AuthError as error:
            return _answer_to(error)
        return _DONE


_DONE = Answer(200, [*_EMPTY, _NO_STORE], b"")


def _token_in(request: EndpointRequest) -> str | None:
    """The one `logout_token` of a form (section 2.5); what else is there is not looked at."""
    media_type = request.content_type.partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        return None
    try:
        fields = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return None
    tokens = [value for name, value in fields if name == "logout_token"]
    return tokens[0] if len(tokens) == 1 else None


def _answer_to(error: AuthError) -> Answer:
    if error.status != 503:
        return _refused(error.description)
    seconds = str(math.ceil(error.retry_after or 1))
    body = {"error": "temporarily_unavailable", "error_description": error.description}
    return json_answer(503, body, ("Retry-After", seconds), _NO_STORE)


def _refused(description: str) -> Answer:
    """What section 2.8 has for a request that is not good."""
    return json_answer(400, {"error": "invalid_request", "error_description": description}, _NO_STORE)
