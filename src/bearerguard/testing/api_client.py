"""A client of an API, with a token that is bound to what it has: it proves that with each request.

By a proof that it signs (RFC 9449), by its certificate (RFC 8705), or by both. An `httpx2.Auth`, for clients
and test clients of that library; for others it makes the header fields. It judges nothing: what an API makes
of a proof is up to the API.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Generator, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2

from bearerguard.testing.client_certificate import CertificateAndKey
from bearerguard.testing.signing_keys import SigningKey, algorithm_for, compact

__all__ = ["APIClient"]


class APIClient(httpx2.Auth):
    """A client with a token, and the key or the certificate that it is bound to. Made by `Issuer.client`.

    It follows `use_dpop_nonce`: it repeats the request once, with the nonce, and uses that from then on.

    Attributes:
        token: its access token.
        key: what it signs proofs with; None without.
        certificate: what it shows; `certificate.context()` shows it over TLS. None without.

    Examples:
        ```python
        auth = issuer.client("ada", "orders:read", dpop=True)
        response = TestClient(app, base_url="https://api.test").get("/orders", auth=auth)
        response = flask_app.test_client().get(
            "/orders", headers=auth.headers("GET", "https://api.test/orders")
        )
        ```
    """

    def __init__(
        self,
        token: str,
        key: SigningKey | None,
        clock: Callable[[], float],
        certificate: CertificateAndKey | None = None,
        shown: Mapping[str, str] | None = None,
    ) -> None:
        self.token = token
        self.key = key
        self.certificate = certificate
        self._shown = dict(shown or {})
        self._clock = clock
        self._nonces: dict[str, str] = {}

    def headers(self, method: str, url: str, **changes: Any) -> dict[str, str]:
        """The header fields of one request. A proof is good once: make them for each request.

        Args:
            method: the method.
            url: the public address of what is asked for.
            **changes: as for `proof`.
        """
        if self.key is None:
            return {"Authorization": f"Bearer {self.token}", **self._shown}
        proof = self.proof(method, url, **changes)
        return {"Authorization": f"DPoP {self.token}", "DPoP": proof, **self._shown}

    def proof(self, method: str, url: str, **changes: Any) -> str:
        """A proof for one request (RFC 9449, section 4.2).

        Args:
            method: the method.
            url: the public address of what is asked for.
            **changes: claims that replace or add to `jti`, `htm`, `htu`, `iat`, `ath` and `nonce`; None
                leaves one out.

        Raises:
            ValueError: the client has no key.
        """
        if self.key is None:
            raise ValueError("This client has a bearer token: make one with issuer.client(dpop=True).")
        parts = urlsplit(url)
        digest = hashlib.sha256(self.token.encode()).digest()
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": urlunsplit(parts._replace(query="", fragment="")),
            "iat": int(self._clock()),
            "ath": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "nonce": self._nonces.get(parts.netloc),
            **changes,
        }
        algorithm = algorithm_for(self.key)
        jwk = {name: value for name, value in self.key.public_jwk().items() if name not in ("kid", "use")}
        header = {"typ": "dpop+jwt", "alg": algorithm, "jwk": jwk}
        said = {name: value for name, value in claims.items() if value is not None}
        return compact(header, said, self.key, algorithm)

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send the request with a proof, and once more where the API asks for a nonce."""
        request.headers.update(self.headers(request.method, str(request.url)))
        response = yield request
        nonce = response.headers.get("DPoP-Nonce")
        if nonce is None or self.key is None:
            return
        self._nonces[request.url.netloc.decode()] = nonce
        if response.status_code == 401 and "use_dpop_nonce" in response.headers.get("WWW-Authenticate", ""):
            request.headers.update(self.headers(request.method, str(request.url)))
            yield request
