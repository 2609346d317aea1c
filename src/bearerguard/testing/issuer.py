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
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bearerguard.testing.authorization_server import AuthorizationServer
from bearerguard.testing.clock import Clock
from bearerguard.testing.login_page import PERSONAS, Persona
from bearerguard.testing.server import LoopbackServer
from bearerguard.testing.signing_keys import key_type_of

if TYPE_CHECKING:
    from bearerguard import Provider, ResourceServer
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

    Example:
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

    # -- trusting it

    def provider(self, **overrides: Any) -> Provider:
        """A `Provider` that trusts this issuer: by discovery, or by its secret where its algorithm is `HS*`.

        Args:
            **overrides: arguments of `Provider` that replace or add to these; `issuer` too. Keys at an
                address are fetched by `transport`, unless they are `RemoteKeys` with other `http_options`.
        """
        from bearerguard import Provider  # noqa: PLC0415

        settings: dict[str, Any] = {"issuer": self.url, "audience": self.audience}
        if key_type_of(self.algorithm) == "oct":
            settings |= {"keys": self.signing_key.secret_jwk(), "algorithms": [self.algorithm]}
        settings |= overrides
        settings["keys"] = self._by_transport(settings.get("keys"))
        return Provider(settings.pop("issuer"), **settings)

    def _by_transport(self, keys: Any) -> Any:
        """The same keys, fetched without a network where nothing else is said."""
        from bearerguard import RemoteKeys  # noqa: PLC0415

        if self._serving:
            return keys
        if keys is None or (isinstance(keys, str) and keys.startswith(("https://", "http://"))):
            keys = RemoteKeys(keys)
        if isinstance(keys, RemoteKeys) and keys.function is None and not keys.http_options:
            return dataclasses.replace(keys, http_options={"transport": self.transport})
        return keys

    def resource_server(
        self, *, clock: Callable[[], float] | None = None, **overrides: Any
    ) -> ResourceServer:
        """A `ResourceServer` that trusts only this issuer.

        Args:
            clock: in place of the issuer's own clock.
            **overrides: as for `provider`.
        """
        from bearerguard import ResourceServer  # noqa: PLC0415

        return ResourceServer(self.provider(**overrides), clock=self.clock if clock is None else clock)

    # -- reaching it

    @property
    def transport(self) -> InProcessTransport:
        """The way to this issuer without a network, for `httpx2.Client`, `AsyncClient` and `http_options`."""
        # An HTTP client takes 150 ms to import: tests with keys given as an object never pay them.
        from bearerguard.testing.transport import InProcessTransport  # noqa: PLC0415

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

        Example:
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
