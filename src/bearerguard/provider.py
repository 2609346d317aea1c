"""`Provider`: one issuer that is trusted, and everything that a token of its must fulfil.

A value, checked when it is built: whatever is missing or unsafe is a `ConfigurationError` that says what to
write instead. It fetches nothing and holds no state.
"""

from __future__ import annotations

import logging
import math
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from bearerguard._core.address import is_address, why_insecure
from bearerguard._core.claim_path import Path
from bearerguard._core.issuer import holds_password, why_not_an_issuer, why_not_discovered
from bearerguard._core.unchecked_tls import unchecked_tls
from bearerguard._jose.algorithms import ALGORITHMS, ASYMMETRIC
from bearerguard._jose.key_material import UnusableKeys, read_keys
from bearerguard._jose.key_set import Keys, KeySet
from bearerguard._limits import DEFAULT_LEEWAY, MAX_LEEWAY
from bearerguard.errors import ConfigurationError, SecurityWarning
from bearerguard.profiles import JWT, Profile

__all__ = ["ASYMMETRIC", "DEFAULT_LEEWAY", "Provider"]

_logger = logging.getLogger("bearerguard")


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Provider:
    """A trusted issuer.

    Args:
        issuer: the exact `iss` of its tokens.
        audience: what a token must name in `aud` to be meant for this API: a string, or several of which
            one is enough.
        keys: where its keys are: None to discover them from the issuer; an `https://` URL; or the keys
            themselves as a JWK, a JWK set, the JSON text of either, PEM text, a mapping of `kid` to PEM or
            JWK, or a list of these; or a function without arguments, sync or async, that returns such keys.
        algorithms: the accepted `alg` values. All asymmetric ones by default; `HS256` and its like only
            when named here, and only with an `oct` key given as an object.
        leeway: seconds of clock difference to forgive, at most 300.
        profile: what kind of token is accepted: `JWT`, `RFC9068` or `ID_TOKEN`.
        name: what to call the provider in logs and to the application; the issuer by default.
        audience_claim: the claim that holds the audience, for providers whose tokens have no `aud`.
        required_claims: claims that must have a value, or one of several: `{"token_use": "access"}`.
        scope_claim: where its tokens carry scopes, as a dotted path or a list of keys; by default both
            `scope` and `scp`.
        roles_claim: where its tokens carry roles: `"realm_access.roles"`, or
            `["resource_access", "my.api", "roles"]`.
        http_options: arguments for the `httpx2.Client` that fetches keys (`verify`, `proxy`, `headers`,
            `timeout`, `transport`, ...).
        key_set_lifetime: seconds for which fetched keys are fresh. By default what the provider's
            `Cache-Control` says, within bounds; `math.inf` fetches them once and for all.
        pinned_thumbprints: RFC 7638 thumbprints of the only keys to accept.
        dangerously_allow_http: fetch keys over plain http off loopback. Anyone on the way can then forge
            tokens.
        dangerously_accept_any_issuer: do not check `iss`.
        dangerously_accept_any_audience: do not check the audience: a token for any other API of the same
            provider opens this one.

    Raises:
        ConfigurationError: for anything missing, contradictory or unsafe.

    Example:
        >>> provider = Provider("https://login.example", audience="https://api.example")
        >>> provider.audiences
        ('https://api.example',)
    """

    issuer: str | None
    audience: str | tuple[str, ...] | None
    keys: Any
    algorithms: frozenset[str]
    leeway: float
    profile: Profile
    name: str
    audience_claim: str
    required_claims: Mapping[str, Any]
    scope_claim: Path | None
    roles_claim: Path
    http_options: Mapping[str, Any]
    key_set_lifetime: float | None
    pinned_thumbprints: frozenset[str] | None
    dangerously_allow_http: bool
    dangerously_accept_any_issuer: bool
    dangerously_accept_any_audience: bool

    audiences: tuple[str, ...] = field(init=False)
    required_values: Mapping[str, tuple[Any, ...]] = field(init=False)
    key_set: KeySet | None = field(init=False)
    """The keys, where they were given as an object; None where they are fetched."""

    def __init__(
        self,
        issuer: str | None,
        *,
        audience: str | Iterable[str] | None,
        keys: Any = None,
        algorithms: str | Iterable[str] = ASYMMETRIC,
        leeway: float = DEFAULT_LEEWAY,
        profile: Profile = JWT,
        name: str | None = None,
        audience_claim: str = "aud",
        required_claims: Mapping[str, Any] | None = None,
        scope_claim: Path | None = None,
        roles_claim: Path = "roles",
        http_options: Mapping[str, Any] | None = None,
        key_set_lifetime: float | None = None,
        pinned_thumbprints: str | Iterable[str] | None = None,
        dangerously_allow_http: bool = False,
        dangerously_accept_any_issuer: bool = False,
        dangerously_accept_any_audience: bool = False,
    ) -> None:
        self._set("issuer", issuer)
        self._set("name", _checked_name(name, issuer))
        self._set("leeway", leeway)
        self._set("profile", profile)
        self._set("key_set_lifetime", key_set_lifetime)
        self._set("audience_claim", audience_claim)
        self._set("dangerously_allow_http", dangerously_allow_http)
        self._set("dangerously_accept_any_issuer", dangerously_accept_any_issuer)
        self._set("dangerously_accept_any_audience", dangerously_accept_any_audience)
        self._check_issuer()
        self._check_numbers()
        if not isinstance(profile, Profile):
            raise self._error(f"profile is a {type(profile).__name__}: give JWT, RFC9068 or ID_TOKEN")
        if not isinstance(audience_claim, str) or not audience_claim:
            raise self._error("audience_claim is empty: name the claim that holds the audience, as 'aud'")
        self._set("audiences", self._checked_audiences(audience))
        # As it was given, but for an iterator: a copy of the provider is made from what stands here.
        self._set("audience", audience if audience is None or isinstance(audience, str) else self.audiences)
        self._set("algorithms", self._checked_algorithms(algorithms))
        self._set("required_claims", self._mapping("required_claims", required_claims))
        self._set("required_values", self._checked_required_values())
        self._set("scope_claim", None if scope_claim is None else self._path("scope_claim", scope_claim))
        self._set("roles_claim", self._path("roles_claim", roles_claim))
        self._set("http_options", self._checked_http_options(http_options))
        self._set("pinned_thumbprints", self._checked_pins(pinned_thumbprints))
        # An iterator would be used up by reading it, and a copy of the provider reads again.
        self._set("keys", list(keys) if isinstance(keys, Iterator) else keys)
        self._set("key_set", self._checked_keys())
        for option, meaning in _UNCHECKED.items():
            if getattr(self, option):
                warn_caller(f"Provider {self.name!r} {meaning}")
        unchecked = unchecked_tls(self.http_options)
        if unchecked is not None:
            warn_caller(f"Provider {self.name!r} {unchecked}")

    def __repr__(self) -> str:
        return f"Provider({self.issuer!r}, audience={self.audiences!r}, name={self.name!r})"

    # -- the checks, one an argument ---------------------------------------------------------------

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _error(self, problem: str) -> ConfigurationError:
        return ConfigurationError(f"Provider {self.name!r}: {problem}.")

    def _check_issuer(self) -> None:
        if self.dangerously_accept_any_issuer:
            if self.issuer is not None:
                raise self._error("it has an issuer and accepts any: choose one")
        elif not isinstance(self.issuer, str) or not self.issuer:
            raise self._error(
                "issuer is missing or empty: write the exact 'iss' of its tokens, such as "
                "'https://login.example/'; it is the 'issuer' in the provider's openid-configuration"
            )
        elif (problem := why_not_an_issuer(self.issuer)) is not None:
            raise self._error(problem)

    def _names(self, given: Any) -> tuple[str, ...]:
        """One or several non-empty strings; none where `given` is anything else."""
        try:
            names = (given,) if isinstance(given, str) else tuple(given)
        except TypeError:
            return ()
        return names if all(isinstance(name, str) and name for name in names) else ()

    def _mapping(self, option: str, given: Any) -> Mapping[str, Any]:
        if given is None or isinstance(given, Mapping):
            return MappingProxyType(dict(given or {}))
        raise self._error(f"{option} is a {type(given).__name__}: give a mapping")

    def _checked_audiences(self, audience: Any) -> tuple[str, ...]:
        if audience is None and self.dangerously_accept_any_audience:
            return ()
        audiences = self._names(audience)
        if not audiences:
            raise self._error(
                "audience is missing or empty: write what its tokens for this API carry in "
                f"{self.audience_claim!r}, such as 'https://api.example', or a list of such names. Without "
                "it, a token meant for any other API would open this one"
            )
        if self.dangerously_accept_any_audience:
            raise self._error("it has an audience and accepts any: choose one")
        return audiences

    def _checked_algorithms(self, given: Any) -> frozenset[str]:
        algorithms = frozenset(self._names(given))
        unknown = sorted(algorithms - ALGORITHMS.keys())
        if unknown or not algorithms:
            raise self._error(
                f"algorithms has {', '.join(unknown) or 'no name'}: choose from {', '.join(ALGORITHMS)}"
            )
        return algorithms

    def _check_numbers(self) -> None:
        leeway = self.leeway
        if not isinstance(leeway, int | float) or not 0 <= leeway <= MAX_LEEWAY:
            raise self._error(f"leeway is {_shown(leeway)}: give seconds from 0 to {MAX_LEEWAY:g}")
        lifetime = self.key_set_lifetime
        if lifetime is None:
            return
        if not isinstance(lifetime, int | float) or math.isnan(lifetime) or lifetime <= 0:
            shown = _shown(lifetime)
            raise self._error(f"key_set_lifetime is {shown}: give seconds above 0, math.inf or None")

    def _checked_required_values(self) -> Mapping[str, tuple[Any, ...]]:
        values: dict[str, tuple[Any, ...]] = {}
        for claim, wanted in self.required_claims.items():
            several = isinstance(wanted, list | tuple | set | frozenset)
            values[claim] = tuple(wanted) if several else (wanted,)
            if not values[claim] or None in values[claim]:
                raise self._error(f"required_claims[{claim!r:.80}] has no value: give the one it must have")
        return MappingProxyType(values)

    def _path(self, option: str, given: Any) -> Path:
        keys = self._names(given)
        if not keys:
            shown = "empty" if given in ("", [], ()) else f"a {type(given).__name__}"
            raise self._error(f"{option} is {shown}: give a path such as 'realm_access.roles', or its keys")
        return keys[0] if isinstance(given, str) else keys

    def _checked_http_options(self, given: Any) -> Mapping[str, Any]:
        options = dict(self._mapping("http_options", given))
        if options.pop("follow_redirects", False):
            raise self._error(
                "http_options has follow_redirects: keys are never taken from where a redirect leads. "
                "Give the final address as keys"
            )
        return MappingProxyType(options)

    def _checked_pins(self, given: Any) -> frozenset[str] | None:
        if given is None:
            return None
        pins = frozenset(self._names(given))
        if not pins or not all(_THUMBPRINT.fullmatch(pin) for pin in pins):
            raise self._error(
                "pinned_thumbprints has something else in it than RFC 7638 thumbprints (SHA-256 in "
                "base64url, 43 characters): give one or several, or leave it out"
            )
        return pins

    def _checked_keys(self) -> KeySet | None:
        keys = self.keys
        given = keys is not None and not callable(keys) and not (isinstance(keys, str) and is_address(keys))
        if not given and all(ALGORITHMS[name].is_symmetric for name in self.algorithms):
            raise self._error("a symmetric key is never fetched: give keys as an object with the oct key")
        if keys is None:
            problem = why_not_discovered(self.issuer or "", allow_http=self.dangerously_allow_http)
            if problem is not None:
                raise self._error(problem)
            return None
        if not given:
            if isinstance(keys, str):
                self._check_address(keys, "keys", "give an https:// URL")
            return None
        secrets_accepted = any(ALGORITHMS[name].is_symmetric for name in self.algorithms)
        try:
            found, left_out = read_keys(keys, allow_secret=secrets_accepted)
        except UnusableKeys as problem:
            raise self._error(
                f"none of its keys can be used: {problem}. Give an https:// URL, a JWK, a JWK set, a PEM "
                "public key or certificate, a mapping of kid to PEM, or leave keys out to discover them"
            ) from None
        for reason in left_out:
            _logger.warning("provider %r: %s", self.name, reason)
        if self.pinned_thumbprints is not None:
            found = [key for key in found if key.thumbprint in self.pinned_thumbprints]
        if not any(key.verifiers.keys() & self.algorithms for key in found):
            raise self._error(
                f"none of its keys fits the algorithms {', '.join(sorted(self.algorithms))}"
                f"{' and the pinned thumbprints' if self.pinned_thumbprints is not None else ''}. "
                "A symmetric key needs its algorithm named, as algorithms=['HS256']"
            )
        return KeySet(Keys(found))

    def _check_address(self, url: str, what: str, remedy: str) -> None:
        problem = why_insecure(url, allow_http=self.dangerously_allow_http)
        if problem is not None:
            shown = url.rpartition("@")[2]  # what is before it may be a password
            raise self._error(f"{what} is {shown!r}, but {problem}: {remedy}")


def _checked_name(name: Any, issuer: Any) -> str:
    if name is not None and not isinstance(name, str):
        raise ConfigurationError(f"A provider's name is a {type(name).__name__}: it must be a string.")
    return (
        name or (issuer if isinstance(issuer, str) and not holds_password(issuer) else "") or "without issuer"
    )


def _shown(number: object) -> str:
    """A number as it is, anything else by its type: a secret may stand where it does not belong."""
    return repr(number) if isinstance(number, int | float) else f"a {type(number).__name__}"


_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
_UNCHECKED = {
    "dangerously_accept_any_issuer": "does not check who issued a token. Pass issuer=...",
    "dangerously_accept_any_audience": (
        "does not check whom a token is for: a token for any other API of the same provider is accepted. "
        "Pass audience=..."
    ),
    "dangerously_allow_http": "may fetch its keys over plain http: whoever is on the way can forge tokens",
}


def warn_caller(message: str) -> None:
    """Issue a `SecurityWarning` that points at the line outside of this library which is to be changed."""
    level, frame = 1, sys._getframe(0)  # noqa: SLF001 - as `warnings` itself does
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_OURS):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, SecurityWarning, stacklevel=level)


_OURS = ("bearerguard", "dataclasses", "functools")
