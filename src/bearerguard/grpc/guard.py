"""The `Guard` for gRPC: interceptors for servers of asyncio and of threads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import grpc
import grpc.aio

from bearerguard.context import verified_token
from bearerguard.errors import ConfigurationError
from bearerguard.grpc.aio import AioInterceptor
from bearerguard.grpc.methods import Methods
from bearerguard.grpc.threads import ThreadInterceptor
from bearerguard.guard import BaseGuard
from bearerguard.rules import Rule
from bearerguard.server import ResourceServer
from bearerguard.token import AccessToken

__all__ = ["Guard"]


class Guard(BaseGuard):
    """Protects the methods of gRPC servers by rules.

    Args:
        server: what verifies the tokens.
        resource: the URL of this API as its clients know it, as for every guard; challenges point to its
            metadata, which gRPC cannot serve.
        realm: a name for the protected space, in every challenge.
        close_at_expiry: whether a stream is ended, with `UNAUTHENTICATED`, once its token has expired, or was
            revoked.

    Raises:
        ConfigurationError: as for every guard.

    Examples:
        ```python
        guard = Guard(server)
        interceptor = guard.interceptor(
            {"/shop.Orders/Delete": scope("orders:write")},
            default=scope("orders:read"),
            public={"/grpc.health.v1.Health/*"},
        )
        api = grpc.aio.server(interceptors=[interceptor])
        ```
    """

    def __init__(
        self,
        server: ResourceServer,
        *,
        resource: str | None = None,
        realm: str | None = None,
        close_at_expiry: bool = False,
    ) -> None:
        super().__init__(server, resource=resource, realm=realm)
        self.close_at_expiry = close_at_expiry

    def readiness(self, path: str) -> None:
        """Refuse: gRPC has no paths.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError(
            f"readiness is asked for at {path!r:.80}, and gRPC has no paths: give the health service of "
            "grpc.health.v1 what server.ready() says."
        )

    def interceptor(
        self,
        rules: Mapping[str, Rule] | None = None,
        *,
        default: Rule | None = None,
        public: Iterable[str] = (),
        optional: Iterable[str] = (),
    ) -> grpc.aio.ServerInterceptor:
        """Return the interceptor for `grpc.aio.server(interceptors=[...])`.

        A method's own entry stands before its service's (`"/shop.Orders/*"`), and that before `default`.

        Args:
            rules: what tokens must fulfil, by the full name of a method, `"/shop.Orders/Delete"`, or by
                `"/shop.Orders/*"` for all methods of a service.
            default: what all other methods ask for; any valid token by default.
            public: methods that need no token; none is read there.
            optional: methods that serve calls without a token too; a bad one is refused.

        Raises:
            ConfigurationError: a name has another form, or stands twice.
        """
        methods = Methods(self, rules, default, public, optional)
        return AioInterceptor(self, methods, close_at_expiry=self.close_at_expiry)

    def sync_interceptor(
        self,
        rules: Mapping[str, Rule] | None = None,
        *,
        default: Rule | None = None,
        public: Iterable[str] = (),
        optional: Iterable[str] = (),
    ) -> grpc.ServerInterceptor:
        """Return the interceptor for `grpc.server(..., interceptors=[...])`; its arguments are the same."""
        methods = Methods(self, rules, default, public, optional)
        return ThreadInterceptor(self, methods, close_at_expiry=self.close_at_expiry)

    def token(self) -> AccessToken:
        """Return the verified token of the call that is being served.

        Raises:
            LookupError: the method is public, or a token is optional there and the call has none.
        """
        token = self.token_or_none()
        if token is None:
            raise LookupError("This call has no verified token: is its method public, or the token optional?")
        return token

    def token_or_none(self) -> AccessToken | None:
        """Return the verified token of the call that is being served, or None."""
        return verified_token()
