"""One call of a method: as the checks see it, and what refuses it."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any
from urllib.parse import unquote

import grpc
from msgspec import Struct

from bearerguard.answer import Answer
from bearerguard.errors import AuthError
from bearerguard.guard import BaseGuard, Demand
from bearerguard.token import AccessToken

__all__: list[str] = []

_STATUS = {
    403: grpc.StatusCode.PERMISSION_DENIED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}

Metadata = Iterable[tuple[str, str | bytes]]


class Call:
    """A call whose method asks for a token.

    Args:
        guard: whose rules are asked.
        demand: what the method asks for.
        method: its full name.
        metadata: what came with the call.
    """

    def __init__(self, guard: BaseGuard, demand: Demand, method: str, metadata: Metadata | None) -> None:
        self.guard = guard
        self.demand = demand
        self._method = method
        self._metadata = tuple(metadata or ())

    def request(self, context: Any) -> GRPCRequest:
        """Return the call as the checks see it."""
        return GRPCRequest(self._method, self._metadata, context, {})

    def refusal(self, error: AuthError) -> tuple[grpc.StatusCode, str, tuple[tuple[str, str], ...]]:
        """Return what ends a call that is refused: the status, its details and the trailing metadata."""
        status = _STATUS.get(error.status, grpc.StatusCode.UNAUTHENTICATED)
        return status, error.description, trailing_metadata(self.guard.answer(error))

    def seconds_left(self, token: AccessToken | None) -> float | None:
        """Return for how many seconds a token is still good; None where it does not end."""
        return None if token is None else self.guard.server.seconds_left(token)

    def expired(self, token: AccessToken | None) -> AuthError:
        """Return the refusal of a stream whose token has ended."""
        assert token is not None  # noqa: S101 - a call without one does not end
        error = self.guard.server.ended(token)
        error.rule, error.token = self.demand.rule, token
        return error


class GRPCRequest(Struct, gc=False):
    """A call as the checks see it (`bearerguard.request.Incoming`): a POST to its method (HTTP/2)."""

    name: str
    metadata: tuple[tuple[str, str | bytes], ...]
    context: Any
    notes: MutableMapping[str, Any]

    @property
    def method(self) -> str:
        """POST."""
        return "POST"

    @property
    def url(self) -> None:
        """None: only the client or a proxy says what the client wrote there."""
        return

    @property
    def target(self) -> bytes:
        """The full name of the method, which is the path."""
        return self.name.encode()

    @property
    def mount(self) -> str:
        """Empty: gRPC knows none."""
        return ""

    @property
    def route(self) -> str:
        """The full name of the method."""
        return self.name

    @property
    def certificate(self) -> bytes | None:
        """The client's certificate, where the server asked for one and one was shown."""
        text = self.context.auth_context().get("x509_pem_cert")
        if not text:
            return None
        from ssl import PEM_cert_to_DER_cert  # noqa: PLC0415 - only where clients have one

        return PEM_cert_to_DER_cert(text[0].decode())

    @property
    def peer(self) -> str | None:
        """The address of the other end, as gRPC says it; None on a Unix socket."""
        kind, _, rest = unquote(self.context.peer()).partition(":")
        return rest.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else None

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of every entry of the metadata called `name` (in lower case), in their order."""
        wanted = name.decode("latin-1")
        return [
            value if isinstance(value, bytes) else value.encode("latin-1", "replace")
            for key, value in self.metadata
            if key == wanted
        ]


def trailing_metadata(answer: Answer) -> tuple[tuple[str, str], ...]:
    """Return what a refusal's header fields are in gRPC, and when to try again, as its retries read it."""
    found = [(name.lower(), value) for name, value in answer.refusal_headers]
    # gRFC A6, "Pushback": milliseconds.
    found += [("grpc-retry-pushback-ms", f"{value}000") for name, value in found if name == "retry-after"]
    return tuple(found)
