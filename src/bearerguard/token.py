"""`AccessToken`: what a token says, once it has been verified.

Only a `ResourceServer` makes one, and only of a token that passed every check, so holding one is proof.
It verifies nothing itself and never shows the token text unless asked for `raw`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from bearerguard._core.claim_path import keys_of, look_up, texts_in, texts_of
from bearerguard._core.confirmation import Confirmation, Method
from bearerguard._core.credentials import USUAL
from bearerguard._core.shared_bound import SharedBound, weight_of
from bearerguard._jose import base64url
from bearerguard._jose.json_object import decode_object_again
from bearerguard._limits import (
    KEPT_CLAIMS_BYTES,
    KEPT_RULE_BYTES,
    MAX_KEPT_RULES,
    VERDICT_MEMORY_BYTES,
)
from bearerguard.errors import ConfigurationError

if TYPE_CHECKING:
    from bearerguard.provider import Provider

__all__ = ["AccessToken", "limit_verdict_memory"]

REMEMBERED = SharedBound(VERDICT_MEMORY_BYTES)
"""The bound of what all servers of the process remember of tokens."""


class Claims(Struct, gc=False):
    """What a provider says of a token; shared by all tokens of the same text.

    Attributes:
        provider: who says it.
        weight: the bytes that it takes, with what was kept.
        kept: what was read of the token, once it came a second time; from the first where its provider was
            asked, as the token does not say it.
        confirmation: what the token is bound to (RFC 7800, section 3.1); None where it is not.
    """

    is_opaque: ClassVar[bool] = False

    provider: Provider
    weight: int
    kept: Kept | None
    confirmation: Confirmation | None


class Kept(Struct, gc=False):
    """What was read of a token. Nothing of it is handed out that can be changed in place.

    Attributes:
        claims: all claims.
        containers: what in them can be changed in place.
        scopes: once they were asked for; likewise `roles` and `permissions`.
        verdicts: of rules that say the same of the same claims, by the rule's `id`, with the rule.
    """

    claims: dict[str, Any]
    containers: Containers
    verdicts: dict[int, tuple[Judge, bool]]
    scopes: frozenset[str] | None = None
    roles: frozenset[str] | None = None
    permissions: frozenset[str] | None = None

    def copy(self) -> dict[str, Any]:
        """Return all claims, of which the caller may change everything."""
        claims = self.claims.copy()
        for name, copy in self.containers:
            claims[name] = copy(claims[name])
        return claims


Containers = tuple[tuple[str, Callable[[Any], Any]], ...]
"""The names of the claims that can be changed in place, each with what copies it."""


def _containers_in(claims: dict[str, Any]) -> Containers:
    return tuple(
        (name, list.copy if value.__class__ is list and not any(map(_is_container, value)) else to_builtins)
        for name, value in claims.items()
        if _is_container(value)
    )


def _is_container(value: Any) -> bool:
    return value.__class__ is dict or value.__class__ is list


class AccessToken:
    """A verified access token. Immutable; what one request does to it no other request sees.

    Examples:
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
        claims = self._claims
        if claims is None:
            claims = self._claims = self._keep().copy()
        return MappingProxyType(claims)

    def claims_copy(self) -> dict[str, Any]:
        """Return all claims as a dict that its owner may change: half the time of copying `claims`."""
        claims = self._claims
        return (self._signed.kept or self._keep()).copy() if claims is None else claims.copy()

    @property
    def issuer(self) -> str:
        """Who issued the token: `iss` (RFC 7519, section 4.1.1), or the provider that was asked about it.

        Empty only where any issuer is accepted.
        """
        issuer: str = self._look().get("iss") or self._signed.provider.issuer or ""
        return issuer

    @property
    def subject(self) -> str | None:
        """The subject of the token: `sub` (RFC 9068, section 2.2); the client itself without a user."""
        subject: str | None = self._look().get("sub")
        return subject

    @property
    def client_id(self) -> str | None:
        """Which client got the token: `client_id` (RFC 8693, section 4.3), `azp` or `appid`.

        Elsewhere where the provider's `client_claim` says so.
        """
        claims = self._look()
        named = self._signed.provider.client_claim
        for name in ("client_id", "azp", "appid") if named is None else (named,):
            if isinstance(claims.get(name), str):
                client_id: str = claims[name]
                return client_id
        return None

    @property
    def scopes(self) -> frozenset[str]:
        """What the token allows: `scope` as a string (RFC 8693, section 4.2) or a list, and `scp`.

        Elsewhere where the provider's `scope_claim` says so.
        """
        kept = self._signed.kept
        if kept is not None and kept.scopes is not None:
            return kept.scopes
        return self._names("scopes", _scopes_in)

    @property
    def roles(self) -> frozenset[str]:
        """The roles of the subject, from where the provider's `roles_claim` says: `roles` by default."""
        kept = self._signed.kept
        if kept is not None and kept.roles is not None:
            return kept.roles
        return self._names("roles", _roles_in)

    @property
    def permissions(self) -> frozenset[str]:
        """The permissions of the subject: the claim `permissions`."""
        kept = self._signed.kept
        if kept is not None and kept.permissions is not None:
            return kept.permissions
        return self._names("permissions", _permissions_in)

    @property
    def expires_at(self) -> float | None:
        """When the token ends, in seconds since 1970 (RFC 7519, section 4.1.4).

        None where its provider does not say: only by introspection (RFC 7662, section 2.2), never in a JWT.
        """
        expires_at: float | None = self._look().get("exp")
        return expires_at

    @property
    def issued_at(self) -> float | None:
        """When the token was issued, in seconds since 1970 (RFC 7519, section 4.1.6)."""
        issued_at: float | None = self._look().get("iat")
        return issued_at

    @property
    def verified_at(self) -> float:
        """When it was verified for this request, in seconds since 1970 by the server's clock."""
        return self._verified_at

    @property
    def is_opaque(self) -> bool:
        """Whether nothing of it was verified here: its provider was asked instead (RFC 7662)."""
        return self._signed.is_opaque

    @property
    def confirmation(self) -> Method | None:
        """How its client has proven that it is its own: `"dpop"`, `"mtls"`, `"dpop+mtls"`.

        None for a bearer token (RFC 7800, section 3; RFC 9449, section 6; RFC 8705, section 3).
        """
        # Of a token that was admitted everything was proven that is known here.
        bound = self._signed.confirmation
        return None if bound is None else bound.method

    @property
    def provider(self) -> Provider:
        """The configured provider whose keys and rules the token passed."""
        return self._signed.provider

    @property
    def raw(self) -> str:
        """The token text itself, for calling another API on behalf of the client. A secret."""
        return self._text().decode()

    def _text(self) -> bytes:
        """The token without the scheme, where it is kept as it was presented."""
        return self._raw.removeprefix(USUAL)

    def _look(self) -> dict[str, Any]:
        """All claims, only to be looked at."""
        kept = self._signed.kept
        if kept is not None:
            return kept.claims
        claims = self._claims
        return self._keep().claims if claims is None else claims

    def _keep(self) -> Kept:
        """What was read of the token; it has come a second time, so reading it pays."""
        signed = self._signed
        kept = signed.kept
        if kept is None:
            payload = self._raw.split(b".", 2)[1]
            claims = decode_object_again(base64url.decode(payload))
            kept = kept_of(claims)
            weight = KEPT_CLAIMS_BYTES + weight_of(claims) + weight_of(kept.containers)
            if signed.weight + weight <= REMEMBERED.half:
                signed.kept = kept
                self._grow(weight)
            else:
                self._claims = kept.copy()
        return kept

    def _names(self, what: str, read: Callable[[dict[str, Any], Provider], frozenset[str]]) -> frozenset[str]:
        """Read the scopes, roles or permissions, and keep them where claims are kept."""
        own, provider = self._claims, self.provider
        # Asked once: what comes of a request's own claims, which it may have changed, is never kept.
        kept = self._keep() if own is None else self._signed.kept
        if kept is None:
            return read(own or {}, provider)
        names = read(kept.claims, provider)
        setattr(kept, what, names)
        self._grow(weight_of(names))
        return names

    def _grow(self, weight: int) -> None:
        self._signed.weight += weight
        REMEMBERED.weigh(weight)

    def __repr__(self) -> str:
        # Tells those apart whom the token is for: throttles, Ninja's among them, count by this text.
        provider, issuer = self._signed.provider, self._look().get("iss")
        who = [f"provider={provider.name!r}", f"subject={self.subject!r}"]
        if isinstance(issuer, str) and issuer != provider.issuer:  # of a tenant
            who.insert(1, f"issuer={issuer!r}")
        if self.subject is None:
            who.append(f"client_id={self.client_id!r}")
        return f"AccessToken({', '.join(who)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AccessToken):
            return NotImplemented
        return self._text() == other._text() and self._signed.provider is other._signed.provider

    def __hash__(self) -> int:
        return hash(self._text())

    def __reduce__(self) -> str:
        # A verified token that travels between processes is a token that nobody verified.
        raise TypeError("an AccessToken cannot be pickled: send its raw text and verify it there")


class Judge(Protocol):
    """A rule, as far as a token knows it."""

    def allows(self, token: AccessToken, /) -> bool:
        """Whether the token fulfils it."""
        ...


def kept_of(claims: dict[str, Any]) -> Kept:
    """Return claims as they are kept, for a token whose text does not say all of them where tokens do."""
    return Kept(claims, _containers_in(claims), {})


def apart(token: AccessToken) -> AccessToken:
    """Return a token of which nothing that rules read is remembered, for an explanation."""
    signed = replace(token._signed, kept=None)  # noqa: SLF001 - of this file, and not for programs
    return AccessToken(token._raw, signed, token._verified_at, token.claims_copy())  # noqa: SLF001 - as above


def claims_of(token: AccessToken) -> dict[str, Any]:
    """Return all claims, only to be looked at: they may be shared with other requests."""
    return token._look()  # noqa: SLF001 - of this file, and not for programs


def looked_up(token: AccessToken, path: str | tuple[str, ...]) -> Any:
    """Return a claim by its path, only to be looked at: it may be shared with other requests."""
    return look_up(token._look(), path)  # noqa: SLF001 - of this file, and not for programs


def judged(token: AccessToken, rule: Judge) -> bool:
    """Return the verdict of a rule that says the same of the same claims, remembered where claims are kept.

    Args:
        token: the token.
        rule: the rule, of which there are few: one for each route.
    """
    kept = token._signed.kept  # noqa: SLF001 - of this file, and not for programs
    if kept is None:
        return rule.allows(token)
    verdict = kept.verdicts.get(id(rule))
    if verdict is not None and verdict[0] is rule:  # it is held here, so nothing else has its `id`
        return verdict[1]
    allowed = rule.allows(token)
    if len(kept.verdicts) < MAX_KEPT_RULES:
        kept.verdicts[id(rule)] = (rule, allowed)
        token._grow(KEPT_RULE_BYTES)  # noqa: SLF001 - as above
    return allowed


def _scopes_in(claims: dict[str, Any], provider: Provider) -> frozenset[str]:
    path = provider.scope_claim
    if path is not None:
        return texts_in(look_up(claims, path))
    return texts_in(claims.get("scope")) | texts_in(claims.get("scp"))


def _roles_in(claims: dict[str, Any], provider: Provider) -> frozenset[str]:
    read = keys_of if provider.roles_are_keys else texts_of
    paths = provider.roles_paths
    if len(paths) == 1:
        return read(look_up(claims, paths[0]))
    return frozenset[str]().union(*(read(look_up(claims, path)) for path in paths))


def _permissions_in(claims: dict[str, Any], _: Provider) -> frozenset[str]:
    return texts_of(claims.get("permissions"))


def limit_verdict_memory(max_bytes: int) -> None:
    """Bound what all servers of this process together remember of verified tokens; 16 MiB by default.

    What was remembered so far is forgotten, which costs one signature check for each token.

    Args:
        max_bytes: 0 remembers nothing.

    Raises:
        ConfigurationError: not a number of bytes from 0 up.

    Examples:
        ```python
        limit_verdict_memory(64 * 1024 * 1024)
        ```
    """
    if max_bytes.__class__ is not int or max_bytes < 0:
        raise ConfigurationError(
            f"limit_verdict_memory is given {max_bytes!r:.80}: give a number of bytes from 0 up."
        )
    REMEMBERED.limit(max_bytes)
