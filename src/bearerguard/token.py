"""`AccessToken`: what a token says, once it has been verified.

Only a `ResourceServer` makes one, and only of a token that passed every check, so holding one is proof.
It verifies nothing itself and never shows the token text unless asked for `raw`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from bearerguard._core.claim_path import look_up, texts_in, texts_of
from bearerguard._jose.json_object import decode_object_again
from bearerguard._limits import MAX_KEPT_CLAIMS, MAX_KEPT_CLAIMS_BYTES

if TYPE_CHECKING:
    from bearerguard.provider import Provider

__all__ = ["AccessToken"]


class Claims(Struct, gc=False):
    """What a provider says of a token, as JSON; shared by all tokens of the same text.

    A few claims are kept decoded as well once they were asked for, if none of them can be changed in place.
    """

    provider: Provider
    payload: bytes
    kept: dict[str, Any] | None

    def members(self) -> dict[str, Any]:
        """Return the claims as a dict of the caller's own."""
        kept = self.kept
        if kept is not None:
            return kept.copy()
        claims = decode_object_again(self.payload)
        if (
            len(self.payload) <= MAX_KEPT_CLAIMS_BYTES
            and len(claims) <= MAX_KEPT_CLAIMS
            and not any(value.__class__ is list or value.__class__ is dict for value in claims.values())
        ):
            self.kept = claims.copy()
        return claims


class AccessToken:
    """A verified access token. Immutable; what one request does to it no other request sees.

    Example:
        ```python
        token = server.verify(text)
        if "orders:read" in token.scopes:
            orders = orders_of(token.subject)
        ```
    """

    __slots__ = ("__weakref__", "_claims", "_raw", "_signed", "_verified_at")

    def __init__(
        self, raw: bytes, signed: Claims, verified_at: float, claims: dict[str, Any] | None = None
    ) -> None:
        self._raw = raw
        self._signed = signed
        self._verified_at = verified_at
        self._claims = claims

    @property
    def claims(self) -> MappingProxyType[str, Any]:
        """All claims, read-only (RFC 7519, section 4)."""
        return MappingProxyType(self._decoded())

    def claims_copy(self) -> dict[str, Any]:
        """Return all claims as a dict that its owner may change: half the time of copying `claims`."""
        claims = self._claims
        if claims is None:
            kept = self._signed.kept
            claims = self._decoded() if kept is None else kept
        return claims.copy()

    @property
    def issuer(self) -> str:
        """Who issued the token: `iss` (RFC 7519, section 4.1.1); empty only where any issuer is accepted."""
        issuer: str = self._decoded().get("iss") or ""
        return issuer

    @property
    def subject(self) -> str | None:
        """The subject of the token: `sub` (RFC 9068, section 2.2); the client itself without a user."""
        subject: str | None = self._decoded().get("sub")
        return subject

    @property
    def client_id(self) -> str | None:
        """Which client got the token: `client_id` (RFC 8693, section 4.3), `azp` or `appid`."""
        claims = self._decoded()
        for name in ("client_id", "azp", "appid"):
            if isinstance(claims.get(name), str):
                client_id: str = claims[name]
                return client_id
        return None

    @property
    def scopes(self) -> frozenset[str]:
        """What the token allows: `scope` as a string (RFC 8693, section 4.2) or a list, and `scp`.

        Elsewhere where the provider's `scope_claim` says so.
        """
        claims, path = self._decoded(), self._signed.provider.scope_claim
        if path is not None:
            return texts_in(look_up(claims, path))
        return texts_in(claims.get("scope")) | texts_in(claims.get("scp"))

    @property
    def roles(self) -> frozenset[str]:
        """The roles of the subject, from where the provider's `roles_claim` says: `roles` by default."""
        return texts_of(look_up(self._decoded(), self._signed.provider.roles_claim))

    @property
    def permissions(self) -> frozenset[str]:
        """The permissions of the subject: the claim `permissions`."""
        return texts_of(self._decoded().get("permissions"))

    @property
    def expires_at(self) -> float | None:
        """When the token ends, in seconds since 1970 (RFC 7519, section 4.1.4).

        None where its provider does not say: only by introspection (RFC 7662, section 2.2), never in a JWT.
        """
        expires_at: float | None = self._decoded().get("exp")
        return expires_at

    @property
    def issued_at(self) -> float | None:
        """When the token was issued, in seconds since 1970 (RFC 7519, section 4.1.6)."""
        issued_at: float | None = self._decoded().get("iat")
        return issued_at

    @property
    def verified_at(self) -> float:
        """When it was verified for this request, in seconds since 1970 by the server's clock."""
        return self._verified_at

    @property
    def provider(self) -> Provider:
        """The configured provider whose keys and rules the token passed."""
        return self._signed.provider

    @property
    def raw(self) -> str:
        """The token text itself, for calling another API on behalf of the client. A secret."""
        return self._raw.decode()

    def _decoded(self) -> dict[str, Any]:
        claims = self._claims
        if claims is None:
            claims = self._claims = self._signed.members()
        return claims

    def __repr__(self) -> str:
        return f"AccessToken(provider={self._signed.provider.name!r}, subject={self.subject!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AccessToken):
            return NotImplemented
        return self._raw == other._raw and self._signed.provider is other._signed.provider

    def __hash__(self) -> int:
        return hash(self._raw)

    def __reduce__(self) -> str:
        # A verified token that travels between processes is a token that nobody verified.
        raise TypeError("an AccessToken cannot be pickled: send its raw text and verify it there")
