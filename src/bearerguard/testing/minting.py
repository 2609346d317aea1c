"""What an issuer of tests signs: good tokens, the bad ones that every API should refuse, and anything else.

Real signatures by real keys, whose life is here too. Nothing is verified here, and nothing is answered.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bearerguard.testing.clock import Clock
from bearerguard.testing.issued import Issued
from bearerguard.testing.key_ring import KeyRing
from bearerguard.testing.signing_keys import SigningKey, algorithm_for, compact, forgers_key, key_type_of

__all__ = ["HOUR", "Mint"]

HOUR = 3600


class Mint:
    """Signs in the name of an issuer. Arguments as for `Issuer`."""

    client_id = "test-client"

    def __init__(self, url: str, audience: str | Sequence[str], algorithm: str, clock: Clock) -> None:
        self.url: str = url
        self.audience = audience
        self.algorithm = algorithm
        self.clock: Clock = clock
        self._keys = KeyRing(key_type_of(algorithm))
        self._issued = Issued()

    # -- tokens

    def token(
        self,
        sub: str | None = "user-1",
        scope: str | Iterable[str] | None = None,
        *,
        expires_in: float = HOUR,
        bound_to: SigningKey | bytes | Sequence[SigningKey | bytes] = (),
        alg: str | None = None,
        key: SigningKey | None = None,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A valid access token: `iss`, `aud`, `exp`, `iat`, `jti`, `client_id`, `sub` (RFC 9068 section 2.2).

        Args:
            sub: the subject.
            scope: scopes, in one string with spaces or one by one.
            expires_in: seconds until it expires.
            bound_to: the key that its client has to prove by DPoP (RFC 9449, section 6), or the certificate
                that it has to show, as DER (RFC 8705, section 3.1); or both, in a list.
            alg: signs with this algorithm, any of the issuer's; a key for it is among those published.
            key: signs with this key, such as the `signing_key` of before a rotation.
            header: header members that replace or add to `alg`, `typ` (`at+jwt`) and `kid`. They change
                what the token says, not how it is signed.
            **claims: claims that replace or add to those above. None, here and in `header`, leaves the
                member out; to sign a literal null, or anything else at all, see `sign`.

        Examples:
            ```python
            issuer.token("ada", "orders:read", aud=["https://api.test", "https://other.test"], client_id=None)
            ```
        """
        payload = self._claims(sub, scope, expires_in, {**_cnf(bound_to), **claims})
        return self.sign(payload, alg=alg, key=key, header=header)

    def opaque_token(
        self,
        sub: str | None = "user-1",
        scope: str | Iterable[str] | None = None,
        *,
        expires_in: float = HOUR,
        bound_to: SigningKey | bytes | Sequence[SigningKey | bytes] = (),
        **claims: Any,
    ) -> str:
        """A random string that stands for the claims of `token`; what it says is told at `/introspect`.

        Args:
            sub: the subject.
            scope: scopes, in one string with spaces or one by one.
            expires_in: seconds until it expires. From then on it is not active, unless `active` is given.
            bound_to: as for `token`.
            **claims: members of the answer that replace or add to those of `token`, to `active` and to
                `token_type`; None leaves one out. They are answered as they are, be they nonsense.

        Examples:
            ```python
            issuer.opaque_token("ada", "orders:read", exp=None)
            ```
        """
        return self._issued.opaque(self._claims(sub, scope, expires_in, {**_cnf(bound_to), **claims}))

    def logout_token(
        self,
        sub: str | None = None,
        sid: str | None = None,
        *,
        client_id: str | None = None,
        expires_in: float = 120,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A token by which an issuer tells a client that a user has logged out.

        OpenID Connect Back-Channel Logout 1.0, section 2.4; for `BackChannelLogout`.

        Args:
            sub: the user.
            sid: the session.
            client_id: the client that is told; the issuer's usual one by default.
            expires_in: seconds until it expires.
            header: header members that replace or add to `alg`, `typ` (`logout+jwt`) and `kid`.
            **claims: claims that replace or add to the usual ones. None leaves one out.

        Examples:
            ```python
            client.post("/logout", data={"logout_token": issuer.logout_token(sid="session-1")})
            ```
        """
        now = int(self.clock())
        payload: dict[str, Any] = {
            "iss": self.url,
            "aud": client_id or self.client_id,
            "iat": now,
            "exp": now + expires_in,
            "jti": str(uuid.uuid4()),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            "sub": sub,
            "sid": sid,
            **claims,
        }
        said = {name: value for name, value in payload.items() if value is not None}
        return self.sign(said, header={"typ": "logout+jwt", **(header or {})})

    def _claims(
        self,
        sub: str | None,
        scope: str | Iterable[str] | None,
        expires_in: float,
        claims: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The claims of a new token."""
        now = int(self.clock())
        usual: dict[str, Any] = {
            "iss": self.url,
            "aud": self.audience if isinstance(self.audience, str) else list(self.audience),
            "exp": now + expires_in,
            "iat": now,
            "jti": str(uuid.uuid4()),
            "client_id": self.client_id,
            "sub": sub,
            "scope": scope if scope is None or isinstance(scope, str) else " ".join(scope),
        }
        return {name: value for name, value in (usual | dict(claims)).items() if value is not None}

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
        """A token, valid except that it expired an hour ago. Arguments as for `token`, here and below."""
        now = int(self.clock())
        return self.token(*arguments, **dict[str, Any](iat=now - 2 * HOUR, exp=now - HOUR) | named)

    def not_yet_valid(self, *arguments: Any, **named: Any) -> str:
        """A token, valid except for its `nbf`, which is an hour ahead."""
        now = int(self.clock())
        return self.token(*arguments, **dict[str, Any](nbf=now + HOUR, exp=now + 2 * HOUR) | named)

    def for_another_audience(self, *arguments: Any, **named: Any) -> str:
        """A token, valid except that it is meant for another API."""
        return self.token(*arguments, **dict[str, Any](aud="https://another-api.test") | named)

    def from_another_issuer(self, *arguments: Any, **named: Any) -> str:
        """A token, valid but for its `iss`: signed by a key of this issuer, as where tenants share keys."""
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
        """A token, valid except for these members of its header; None leaves one out."""
        return self.token(sub, scope, header=header)

    # -- its keys

    def jwks(self) -> dict[str, Any]:
        """The published JWK set; also what to hand to an API that is given its keys as an object."""
        return {"keys": self._keys.published()}

    @property
    def signing_key(self) -> SigningKey:
        """The key that signs now."""
        return self._keys.current(self.algorithm)

    def rotate(self, *, overlap: bool = True) -> None:
        """Sign with new keys from now on, and publish them.

        Args:
            overlap: the keys of before stay published until the next rotation, so that tokens signed with
                them stay good. False withdraws them at once, as after a theft; an API that fetched
                them before knows them until it fetches again, and resource servers with the same settings and
                clock share what they have fetched.
        """
        self._keys.rotate(overlap=overlap)

    def publish_next(self) -> None:
        """Publish the keys of the next rotation already, as careful providers do."""
        self._keys.announce()

    def _choose(self, alg: str | None, key: SigningKey | None) -> tuple[str, SigningKey]:
        """The algorithm and the key to sign with: what was asked for, and what goes with it."""
        if alg is None:
            alg = self.algorithm
            if key is not None and not key.fits(alg):
                alg = algorithm_for(key)
        return alg, self._keys.current(alg) if key is None else key


def _cnf(bound_to: SigningKey | bytes | Sequence[SigningKey | bytes]) -> dict[str, Any]:
    """What a token is bound to (RFC 7800, section 3.1)."""
    members: dict[str, str] = {}
    for one in [bound_to] if isinstance(bound_to, SigningKey | bytes) else bound_to:
        if isinstance(one, SigningKey):
            members["jkt"] = one.thumbprint
        else:
            digest = hashlib.sha256(one).digest()
            members["x5t#S256"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {"cnf": members} if members else {}


def _header(algorithm: str, key: SigningKey, members: Mapping[str, Any] | None) -> dict[str, Any]:
    header = {"alg": algorithm, "typ": "at+jwt", "kid": key.kid, **(members or {})}
    return {name: value for name, value in header.items() if value is not None}
