"""An OAuth 2.0 issuer inside the process, for tests: real keys, real signatures, real metadata and key set.

What it hands out is verified by the library as any provider's tokens are. It never makes verification
easier: there is no switch here that an API under test could see.
"""

from __future__ import annotations

import dataclasses
import threading
import uuid
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bearerguard.testing import http
from bearerguard.testing.authorization_code import AuthorizationCodeGrant, Login
from bearerguard.testing.clock import Clock
from bearerguard.testing.key_ring import KeyRing
from bearerguard.testing.login_page import PERSONAS, Persona
from bearerguard.testing.server import LoopbackServer
from bearerguard.testing.signing_keys import ALGORITHMS, SigningKey, compact, forgers_key, key_type_of
from bearerguard.testing.trouble import Trouble, Troubles

if TYPE_CHECKING:
    from bearerguard import Provider, ResourceServer
    from bearerguard.testing.transport import InProcessTransport

__all__ = ["Issuer", "RecordedRequest"]

_HOUR = 3600


@dataclass(frozen=True)
class RecordedRequest:
    """Something that an issuer was asked.

    `time` is the reading of the issuer's clock when the request arrived; `headers` have names in lower case.
    """

    method: str
    path: str
    time: float
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Issuer:
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

    client_id = "test-client"
    client_secret = "test-secret"

    def __init__(
        self,
        url: str = "https://issuer.test",
        *,
        audience: str | Sequence[str] = "https://api.test",
        algorithm: str = "RS256",
        clock: Clock | None = None,
        personas: Iterable[Persona] = PERSONAS,
    ) -> None:
        self.url: str = url
        self.audience = audience
        self.algorithm = algorithm
        self.clock: Clock = Clock() if clock is None else clock
        #: The `Cache-Control` header of metadata and key set; None leaves it out.
        self.cache_control: str | None = "public, max-age=600"
        self._keys = KeyRing(key_type_of(algorithm))
        self._authorization_code = AuthorizationCodeGrant(personas, self.clock)
        self._troubles = Troubles()
        self._lock = threading.Lock()
        self._requests: list[RecordedRequest] = []
        self._serving = False
        self._transport: Callable[[], InProcessTransport | None] = lambda: None

    # -- trusting it

    @property
    def jwks_uri(self) -> str:
        """Where the key set is published."""
        return f"{self.url.rstrip('/')}/jwks"

    @property
    def token_endpoint(self) -> str:
        """Where `client_id` and `client_secret` get a token for the client credentials grant."""
        return f"{self.url.rstrip('/')}/token"

    @property
    def authorization_endpoint(self) -> str:
        """Where users log in, and clients that are registered get a code (with PKCE) for it."""
        return f"{self.url.rstrip('/')}/authorize"

    def register_client(self, client_id: str, *redirect_uris: str) -> None:
        """Let a public client, such as a page in a browser, have users log in.

        Args:
            client_id: its id.
            *redirect_uris: where users may be sent back to, exactly so, all on loopback.

        Raises:
            ValueError: a redirect URI leads away from loopback, or there is none.
        """
        self._authorization_code.register(client_id, redirect_uris)

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

    def jwks(self) -> dict[str, Any]:
        """The published JWK set; also what to hand to an API that is given its keys as an object."""
        return {"keys": self._keys.published()}

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
        """A `ResourceServer` that trusts this issuer alone.

        Args:
            clock: in place of the issuer's own clock.
            **overrides: as for `provider`.
        """
        from bearerguard import ResourceServer  # noqa: PLC0415

        return ResourceServer(self.provider(**overrides), clock=self.clock if clock is None else clock)

    # -- tokens

    def token(
        self,
        sub: str | None = "user-1",
        scope: str | Iterable[str] | None = None,
        *,
        expires_in: float = _HOUR,
        alg: str | None = None,
        key: SigningKey | None = None,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A sound access token: `iss`, `aud`, `exp`, `iat`, `jti`, `client_id`, `sub` (RFC 9068 section 2.2).

        Args:
            sub: the subject.
            scope: scopes, in one string with spaces or one by one.
            expires_in: seconds until it expires.
            alg: signs with this algorithm, any of the issuer's; a key for it is among those published.
            key: signs with this key, such as the `signing_key` of before a rotation.
            header: header members that replace or add to `alg`, `typ` (`at+jwt`) and `kid`. They change
                what the token says, not how it is signed.
            **claims: claims that replace or add to those above. None, here and in `header`, leaves the
                member out; to sign a literal null, or anything else at all, see `sign`.

        Example:
            ```python
            issuer.token("ada", "orders:read", aud=["https://api.test", "https://other.test"], client_id=None)
            ```
        """
        now = int(self.clock())
        payload: dict[str, Any] = {
            "iss": self.url,
            "aud": self.audience if isinstance(self.audience, str) else list(self.audience),
            "exp": now + expires_in,
            "iat": now,
            "jti": str(uuid.uuid4()),
            "client_id": self.client_id,
            "sub": sub,
            "scope": scope if scope is None or isinstance(scope, str) else " ".join(scope),
            **claims,
        }
        payload = {name: value for name, value in payload.items() if value is not None}
        return self.sign(payload, alg=alg, key=key, header=header)

    def sign(
        self,
        payload: Mapping[str, Any] | bytes,
        *,
        alg: str | None = None,
        key: SigningKey | None = None,
        header: Mapping[str, Any] | None = None,
    ) -> str:
        """Exactly this payload, signed: claims, or bytes that need not be JSON. The rest as for `token`."""
        algorithm, key = self._choose(alg, key)
        return compact(_header(algorithm, key, header), payload, key, algorithm)

    def expired(self, *arguments: Any, **named: Any) -> str:
        """A token, sound but that it expired an hour ago. Arguments as for `token`, here and below."""
        now = int(self.clock())
        return self.token(*arguments, **dict[str, Any](iat=now - 2 * _HOUR, exp=now - _HOUR) | named)

    def not_yet_valid(self, *arguments: Any, **named: Any) -> str:
        """A token, sound but for its `nbf`, which is an hour ahead."""
        now = int(self.clock())
        return self.token(*arguments, **dict[str, Any](nbf=now + _HOUR, exp=now + 2 * _HOUR) | named)

    def for_another_audience(self, *arguments: Any, **named: Any) -> str:
        """A token, sound but for being meant for another API."""
        return self.token(*arguments, **dict[str, Any](aud="https://another-api.test") | named)

    def from_another_issuer(self, *arguments: Any, **named: Any) -> str:
        """A token, sound but for its `iss`: signed by a key of this issuer, as where tenants share keys."""
        return self.token(*arguments, **dict[str, Any](iss="https://another-issuer.test") | named)

    def forged(self, *arguments: Any, **named: Any) -> str:
        """A token that names the right key and is signed by another one."""
        algorithm, key = self._choose(named.pop("alg", None), named.pop("key", None))
        impostor = SigningKey(key.kid, forgers_key(key.key_type).private)
        return self.token(*arguments, alg=algorithm, key=impostor, **named)

    def unsigned(self, *arguments: Any, **named: Any) -> str:
        """A token whose header says `alg: none`, without a signature (RFC 7519 section 6)."""
        header = {"alg": "none", **(named.pop("header", None) or {})}
        signed = self.token(*arguments, header=header, **named)
        return f"{signed.rpartition('.')[0]}."

    def with_header(
        self, sub: str | None = "user-1", scope: str | Iterable[str] | None = None, /, **header: Any
    ) -> str:
        """A token, sound but for these members of its header; None leaves one out."""
        return self.token(sub, scope, header=header)

    # -- its life

    @property
    def signing_key(self) -> SigningKey:
        """The key that signs now."""
        return self._keys.current(self.algorithm)

    def rotate(self, *, overlap: bool = True) -> None:
        """Sign with new keys from now on, and publish them.

        Args:
            overlap: the keys of before stay published until the next rotation, so that tokens signed with
                them stay good. False withdraws them at once, as after a theft; whoever has fetched them
                before knows them until it fetches again, and resource servers with the same settings and
                clock share what they have fetched.
        """
        self._keys.rotate(overlap=overlap)

    def publish_next(self) -> None:
        """Publish the keys of the next rotation already, as careful providers do."""
        self._keys.announce()

    def outage(self, status: int | None = None) -> Trouble:
        """Be down from now until `stop()` of what is returned, or until the end of the `with` block.

        Args:
            status: answer everything with this status. None: give no answer at all.

        Example:
            ```python
            with issuer.outage():
                ...
            ```
        """
        return self._troubles.begin(outage=True, status=status)

    def slow(self, seconds: float) -> Trouble:
        """Answer this many seconds (of real time) late, until `stop()` or the end of the `with` block.

        Requests that wait are answered as soon as it ends: a test can hold the issuer with a large number
        and let go.
        """
        return self._troubles.begin(seconds=seconds)

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """What was asked of it so far, answered or not, in order."""
        with self._lock:
            return tuple(self._requests)

    def count(self, path: str) -> int:
        """How often `path` (such as `/jwks`) was asked for."""
        return sum(request.path == path for request in self.requests)

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

    # -- for its transport and its server

    def answer(
        self,
        request: http.Request,
        limit: float | None = None,
        *,
        cut_short: Callable[[], bool] = lambda: False,
    ) -> http.Response | None:
        """Its answer to `request`, None where it gives none; `TimeoutError` if that takes `limit` seconds."""
        with self._lock:
            self._requests.append(
                RecordedRequest(request.method, request.path, self.clock(), request.headers)
            )
        if not self._troubles.wait(limit, cut_short):
            raise TimeoutError(f"No answer from {self.url} in {limit} seconds.")
        if cut_short():
            return None
        outage = self._troubles.outage()
        if outage is not None:
            return None if outage.status is None else http.Response(outage.status)
        return http.respond(request, self._endpoints())

    def look_again(self) -> None:
        """Have requests that wait for a slow issuer look at their `cut_short` again."""
        self._troubles.look_again()

    def _endpoints(self) -> http.Endpoints:
        return http.Endpoints(
            issuer=self.url,
            audiences=(self.audience,) if isinstance(self.audience, str) else tuple(self.audience),
            algorithms=tuple(algorithm for algorithm in ALGORITHMS if key_type_of(algorithm) != "oct"),
            key_set=self.jwks(),
            cache_control=self.cache_control,
            clients={self.client_id: self.client_secret},
            issue=self._issue,
            authorization_code=self._authorization_code,
            issue_login=self._issue_login,
        )

    def _issue(self, client_id: str, scope: str | None) -> dict[str, Any]:
        """A token response (RFC 6749 section 5.1); the client is the subject (RFC 9068 section 2.2)."""
        token = self.token(client_id, scope, client_id=client_id)
        response = {"access_token": token, "token_type": "Bearer", "expires_in": _HOUR}
        return response if scope is None else {**response, "scope": scope}

    def _issue_login(self, login: Login) -> dict[str, Any]:
        """A token response that tells what is granted, which may be less than was asked for."""
        token = self.token(
            login.persona.sub,
            login.scope or None,
            client_id=login.client_id,
            roles=list(login.persona.roles),
            auth_time=int(login.at),
            acr=login.acr,
        )
        return {"access_token": token, "token_type": "Bearer", "expires_in": _HOUR, "scope": login.scope}

    def _choose(self, alg: str | None, key: SigningKey | None) -> tuple[str, SigningKey]:
        """The algorithm and the key to sign with: what was asked for, and what goes with it."""
        if alg is None:
            alg = self.algorithm
            if key is not None and not key.fits(alg):
                alg = next(algorithm for algorithm in ALGORITHMS if key.fits(algorithm))
        return alg, self._keys.current(alg) if key is None else key


def _header(algorithm: str, key: SigningKey, members: Mapping[str, Any] | None) -> dict[str, Any]:
    header = {"alg": algorithm, "typ": "at+jwt", "kid": key.kid, **(members or {})}
    return {name: value for name, value in header.items() if value is not None}
