"""An OAuth 2.0 issuer inside the process, for tests: real keys, real signatures, real metadata and key set.

The library verifies its tokens as it does any provider's, and nothing here makes that easier: there is no
switch that an API under test could see. `minting` has what it signs, `authorization_server` and `endpoints`
what it answers; here is how an API comes to trust it and to reach it.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from bearerguard.testing.authorization_server import AuthorizationServer
from bearerguard.testing.clock import Clock
from bearerguard.testing.login_page import PERSONAS, Persona
from bearerguard.testing.server import LoopbackServer
from bearerguard.testing.signing_keys import SigningKey, key_type_of, signing_key

if TYPE_CHECKING:
    from bearerguard import ClientCertificate, DPoP, Introspection, Provider, ResourceServer, Revocation
    from bearerguard.certificate import CertificateFormat
    from bearerguard.observe import Observer
    from bearerguard.stores.redis import RedisStore
    from bearerguard.testing.api_client import APIClient
    from bearerguard.testing.like import LikeIssuer
    from bearerguard.testing.transport import InProcessTransport

__all__ = ["Issuer"]


class Issuer(AuthorizationServer):
    """An issuer of access tokens (RFC 9068) that tests can also ask for bad ones.

    Every method may be called from any thread. Each issuer has keys of its own: two of them alive at once
    never accept each other's tokens, even under the same URL.

    Args:
        url: the issuer's identifier, the `iss` of its tokens. Paths and a trailing slash are fine.
        audience: the `aud` of its tokens: one resource, or several.
        algorithm: signs unless a token is asked for in another one (`alg=`). `HS*` only if it is named here
            or there.
        clock: seconds since the epoch; a `Clock` that starts at the present, if none is given.
            `issuer.clock.advance` moves it.
        personas: who can log in on its login page, once a client is registered.

    Raises:
        ValueError: the algorithm is unknown.

    Examples:
        ```python
        issuer = Issuer()
        server = issuer.resource_server()
        assert server.verify(issuer.token(sub="ada", scope="orders:read")).subject == "ada"
        ```
    """

    url: str

    def __init__(
        self,
        url: str = "https://issuer.test",
        *,
        audience: str | Sequence[str] = "https://api.test",
        algorithm: str = "RS256",
        clock: Clock | None = None,
        personas: Iterable[Persona] = PERSONAS,
    ) -> None:
        super().__init__(url, audience, algorithm, Clock() if clock is None else clock, personas)
        self._serving = False
        self._transport: Callable[[], InProcessTransport | None] = lambda: None

    @classmethod
    def like(cls, name: str, *arguments: Any, clock: Clock | None = None, **named: Any) -> LikeIssuer:
        """An issuer whose tokens look like a real provider's, trusted by the preset of that name.

        Args:
            name: the name of a function in `bearerguard.presets`.
            *arguments: what that is given, such as your own tenant and audience; made-up values if left out.
            clock: as for `Issuer`.
            **named: the same by name.

        Raises:
            ValueError: there is no such preset.

        Examples:
            ```python
            issuer = Issuer.like("entra")
            server = issuer.resource_server()
            assert "access_as_user" in server.verify(issuer.token("ada")).scopes
            server.verify(issuer.id_token("ada"))  # InvalidToken
            ```
        """
        from bearerguard.testing.like import LikeIssuer  # noqa: PLC0415 - it derives from this class

        return LikeIssuer(name, arguments, named, clock)

    # -- trusting it

    def provider(self, **overrides: Any) -> Provider:
        """A `Provider` that trusts this issuer: by discovery, or by its secret where its algorithm is `HS*`.

        Args:
            **overrides: arguments of `Provider` that replace or add to these; `issuer` too. Keys at an
                address are fetched by `transport`, unless they are `RemoteKeys` with other `http_options`.
                `introspection=True` stands for `introspection()`; any other is asked by `transport` too,
                unless it has `http_options` of its own.
        """
        from bearerguard import Introspection, Provider  # noqa: PLC0415 - the plugin is loaded with every pytest run

        settings: dict[str, Any] = {"issuer": self.url, "audience": self.audience}
        if key_type_of(self.algorithm) == "oct":
            settings |= {"keys": self.signing_key.secret_jwk(), "algorithms": [self.algorithm]}
        settings |= overrides
        settings["keys"] = self._by_transport(settings.get("keys"))
        introspection = settings.get("introspection")
        if introspection is True:
            settings["introspection"] = self.introspection()
        elif isinstance(introspection, Introspection) and not (self._serving or introspection.http_options):
            settings["introspection"] = dataclasses.replace(
                introspection, http_options={"transport": self.transport}
            )
        return Provider(settings.pop("issuer"), **settings)

    def introspection(
        self,
        method: Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "bearer"] = (
            "client_secret_basic"
        ),
        **overrides: Any,
    ) -> Introspection:
        """An `Introspection` by which its client asks it about tokens; for `provider(introspection=...)`.

        Args:
            method: how the client authenticates itself. For `bearer` it has a JWT of its own.
            **overrides: arguments of `Introspection` that replace or add to these.

        Examples:
            ```python
            server = issuer.resource_server(introspection=issuer.introspection(jwts="ask"))
            ```
        """
        from bearerguard import Introspection  # noqa: PLC0415 - the plugin is loaded with every pytest run

        by_method: dict[str, dict[str, Any]] = {
            "client_secret_basic": {"client_secret": self.client_secret},
            "client_secret_post": {"client_secret": self.client_secret},
            "private_key_jwt": {"key": self.client_key.private_pem()},
            "bearer": {"token": lambda: self.token(self.client_id)},
        }
        settings: dict[str, Any] = {
            "client_id": self.client_id,
            "method": method,
            **by_method[method],
            **overrides,
        }
        if not self._serving:
            settings.setdefault("http_options", {"transport": self.transport})
        return Introspection(settings.pop("client_id"), **settings)

    def _by_transport(self, keys: Any) -> Any:
        """The same keys, fetched without a network where nothing else is said."""
        from bearerguard import RemoteKeys  # noqa: PLC0415 - the plugin is loaded with every pytest run

        if self._serving:
            return keys
        if keys is None or (isinstance(keys, str) and keys.startswith(("https://", "http://"))):
            keys = RemoteKeys(keys)
        if isinstance(keys, RemoteKeys) and keys.function is None and not keys.http_options:
            return dataclasses.replace(keys, http_options={"transport": self.transport})
        return keys

    def resource_server(
        self,
        *,
        resource: str | None = None,
        dpop: DPoP | None = None,
        certificate: ClientCertificate | None = None,
        store: RedisStore | None = None,
        revocation: Revocation | None = None,
        observer: Observer | None = None,
        clock: Callable[[], float] | None = None,
        **overrides: Any,
    ) -> ResourceServer:
        """A `ResourceServer` that trusts only this issuer.

        Args:
            resource: as for `ResourceServer`.
            dpop: likewise.
            certificate: likewise.
            store: likewise.
            revocation: likewise.
            observer: likewise.
            clock: in place of the issuer's own clock.
            **overrides: as for `provider`.
        """
        from bearerguard import ResourceServer  # noqa: PLC0415 - the plugin is loaded with every pytest run

        own = self.clock if clock is None else clock
        return ResourceServer(
            self.provider(**overrides),
            resource=resource,
            dpop=dpop,
            certificate=certificate,
            store=store,
            revocation=revocation,
            observer=observer,
            clock=own,
        )

    # -- clients of the API

    def client(
        self,
        sub: str | None = "user-1",
        scope: str | Iterable[str] | None = None,
        *,
        dpop: bool = False,
        certificate: bool | CertificateFormat = False,
        token: str | None = None,
        **claims: Any,
    ) -> APIClient:
        """A client of the API, with a token of its own: an `httpx2.Auth` for clients and test clients.

        Args:
            sub: the subject of its token.
            scope: the scopes of its token.
            dpop: whether its token is bound to a key of its own, which it proves for each request (RFC 9449).
            certificate: whether its token is bound to a certificate of its own (RFC 8705), which each request
                has in a header field: as the named proxy writes it, and for True as RFC 9440 says.
            token: another token in place of its own: a thief has that, and a key of theirs.
            **claims: as for `token`.
        """
        from bearerguard.testing.api_client import APIClient  # noqa: PLC0415 - as `transport`
        from bearerguard.testing.client_certificate import certificate_and_key, proxy_header  # noqa: PLC0415 - the plugin is loaded with every pytest run

        key = signing_key("P-256") if dpop else None
        has: list[SigningKey | bytes] = [] if key is None else [key]
        shown, header = None, dict[str, str]()
        if certificate:
            shown = certificate_and_key()
            header = proxy_header("rfc9440" if certificate is True else certificate, shown.der)
            has.append(shown.der)
        own = token or self.token(sub, scope, bound_to=has, **claims)
        return APIClient(own, key, self.clock, shown, header)

    # -- reaching it

    @property
    def transport(self) -> InProcessTransport:
        """The way to this issuer without a network, for `httpx2.Client`, `AsyncClient` and `http_options`."""
        # An HTTP client takes 150 ms to import: tests with keys given as an object never pay them.
        from bearerguard.testing.transport import InProcessTransport  # noqa: PLC0415 - the plugin is loaded with every pytest run

        with self._lock:
            transport = self._transport()
            if transport is None:
                transport = InProcessTransport(self)
                # Weak, so that no cycle keeps a finished test's keys from being lent again.
                self._transport = weakref.ref(transport)
            return transport

    @contextmanager
    def serve(self, port: int = 0) -> Generator[Issuer, None, None]:
        """Serve over real HTTP on loopback, for the length of a `with` block; `url` is its till then.

        Args:
            port: a free one where it is 0.

        Raises:
            RuntimeError: it is being served already.
            OSError: the port is taken.

        Examples:
            ```python
            with Issuer().serve() as issuer:
                httpx2.get(issuer.jwks_uri)
            ```
        """
        with self._lock:
            if self._serving:
                raise RuntimeError(f"This issuer is served already, at {self.url}.")
            self._serving = True
        url = self.url
        try:
            with LoopbackServer(self, port) as server:
                self.url = f"http://127.0.0.1:{server.port}{urlsplit(url).path}"
                yield self
        finally:
            self.url = url
            self._serving = False
