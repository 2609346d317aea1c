"""`Provider`: one issuer that is trusted, and everything that its tokens must fulfil.

A value, checked when it is built: anything missing or unsafe is a `ConfigurationError` that says what to
write instead. It fetches nothing, logs nothing and holds no state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Never

from bearerguard._core.address import is_address
from bearerguard._core.claim_path import Path
from bearerguard._core.issuer import why_not_discovered
from bearerguard._jose.algorithms import ALGORITHMS, ASYMMETRIC
from bearerguard._jose.key_material import UnusableKeys, read_keys
from bearerguard._jose.key_set import KeyIndex, KeySet
from bearerguard._limits import DEFAULT_LEEWAY
from bearerguard.errors import ConfigurationError
from bearerguard.provider._checks import (
    Problem,
    check_address,
    check_not_metadata,
    checked_algorithms,
    checked_audience_claim,
    checked_audiences,
    checked_issuer,
    checked_leeway,
    checked_mapping,
    checked_name,
    checked_path,
    checked_required_values,
)
from bearerguard.provider._warning import warn_caller
from bearerguard.provider.keys import RemoteKeys
from bearerguard.provider.profiles import JWT, Profile

__all__ = ["Provider"]


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Provider:
    """A trusted issuer.

    Args:
        issuer: the exact `iss` of its tokens.
        audience: what a token must name in `aud` to be meant for this API: a string, or several of which
            one is enough.
        keys: where its keys are: None to discover them from the issuer; an `https://` URL; `RemoteKeys`, to
            say how they are fetched; a function without arguments, sync or async, that returns keys; or the
            keys themselves as a JWK, a JWK set, the JSON text of either, PEM text, a mapping of `kid` to PEM
            or JWK, or a list of these.
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
    dangerously_accept_any_issuer: bool
    dangerously_accept_any_audience: bool

    audiences: tuple[str, ...] = field(init=False)
    required_values: Mapping[str, tuple[Any, ...]] = field(init=False)
    remote_keys: RemoteKeys | None = field(init=False)
    """How its keys are fetched; None where they were given as an object."""
    key_set: KeySet | None = field(init=False)
    """The keys, where they were given as an object; None where they are fetched."""
    left_out: tuple[str, ...] = field(init=False)
    """Sentences about keys that were given and cannot be used, for the log of the server."""

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
        dangerously_accept_any_issuer: bool = False,
        dangerously_accept_any_audience: bool = False,
        **moved: Never,
    ) -> None:
        if moved:
            raise _moved(moved)
        called = checked_name(name, issuer)
        any_issuer, any_audience = dangerously_accept_any_issuer, dangerously_accept_any_audience
        try:
            values: dict[str, Any] = {
                "issuer": checked_issuer(issuer, accept_any=any_issuer),
                "name": called,
                "leeway": checked_leeway(leeway),
                "profile": _checked_profile(profile),
                "audience_claim": checked_audience_claim(audience_claim),
                "audiences": checked_audiences(audience, audience_claim, accept_any=any_audience),
                "algorithms": checked_algorithms(algorithms),
                "required_claims": checked_mapping("required_claims", required_claims),
                "scope_claim": None if scope_claim is None else checked_path("scope_claim", scope_claim),
                "roles_claim": checked_path("roles_claim", roles_claim),
                "dangerously_accept_any_issuer": any_issuer,
                "dangerously_accept_any_audience": any_audience,
            }
            values["required_values"] = checked_required_values(values["required_claims"])
            # As it was given, but for an iterator: a copy of the provider is made from what stands here.
            as_given = audience is None or isinstance(audience, str)
            values["audience"] = audience if as_given else values["audiences"]
            values["keys"] = list(keys) if isinstance(keys, Iterator) else keys
            remote = values["remote_keys"] = _remote_keys(values["keys"], values["issuer"])
            if remote is None:
                values["key_set"], values["left_out"] = _read(values["keys"], values["algorithms"])
            else:
                values["key_set"], values["left_out"] = None, ()
                _check_fetchable(values["algorithms"])
        except Problem as problem:
            raise ConfigurationError(f"Provider {called!r}: {problem}.") from None
        for option, value in values.items():
            object.__setattr__(self, option, value)
        for option, meaning in _UNCHECKED.items():
            if getattr(self, option):
                warn_caller(f"Provider {self.name!r} {meaning}")

    def __repr__(self) -> str:
        return f"Provider({self.issuer!r}, audience={self.audiences!r}, name={self.name!r})"


def _checked_profile(profile: Any) -> Profile:
    if not isinstance(profile, Profile):
        raise Problem(f"profile is a {type(profile).__name__}: give JWT, RFC9068 or ID_TOKEN")
    return profile


def _remote_keys(keys: Any, issuer: str | None) -> RemoteKeys | None:
    """How the keys are fetched, as said in full or in short; None where they are given as an object."""
    if isinstance(keys, str) and is_address(keys):
        check_not_metadata(keys)
        remedy = "give an https:// URL"
        if keys.startswith("http://"):
            remedy += (
                "; or, where nobody else is on the network between, as with docker compose, "
                "RemoteKeys(url, dangerously_allow_http=True)"
            )
        check_address(keys, "keys", remedy, allow_http=False)
        return RemoteKeys(keys)
    if callable(keys):
        return RemoteKeys(function=keys)
    if keys is None:
        remote = RemoteKeys()
    elif isinstance(keys, RemoteKeys):
        remote = keys
    else:
        return None
    if remote.url is None and remote.function is None:
        problem = why_not_discovered(issuer or "", allow_http=remote.dangerously_allow_http)
        if problem is not None:
            raise Problem(problem)
    return remote


def _check_fetchable(algorithms: frozenset[str]) -> None:
    """Anyone who can read a secret can sign with it, so a published key is never one."""
    if all(ALGORITHMS[name].is_symmetric for name in algorithms):
        raise Problem("a symmetric key is never fetched: give keys as an object with the oct key")


def _read(keys: Any, algorithms: frozenset[str]) -> tuple[KeySet, tuple[str, ...]]:
    """The keys that were given as an object, and a sentence about each that cannot be used."""
    secrets_accepted = any(ALGORITHMS[name].is_symmetric for name in algorithms)
    try:
        found, left_out = read_keys(keys, allow_secret=secrets_accepted)
    except UnusableKeys as problem:
        raise Problem(
            f"none of its keys can be used: {problem}. Give an https:// URL, a JWK, a JWK set, a PEM public "
            "key or certificate, a mapping of kid to PEM, or leave keys out to discover them"
        ) from None
    if not any(key.verifiers.keys() & algorithms for key in found):
        raise Problem(
            f"none of its keys fits the algorithms {', '.join(sorted(algorithms))}. A symmetric key needs "
            "its algorithm named, as algorithms=['HS256']"
        )
    keys = KeyIndex(found)
    return KeySet(keys), (*left_out, *keys.untried())


def _moved(options: Mapping[str, Any]) -> Exception:
    """Say where an option of fetching stands, which `Provider` had itself in its first release."""
    option = next(iter(options))
    name = {"key_set_lifetime": "lifetime"}.get(option, option)
    if name not in _OF_REMOTE_KEYS:
        return TypeError(f"Provider has no option {option!r}.")
    return ConfigurationError(
        f"{option} is an option of how keys are fetched: write keys=RemoteKeys(..., {name}=...)."
    )


_OF_REMOTE_KEYS = ("http_options", "lifetime", "pinned_thumbprints", "dangerously_allow_http")
_UNCHECKED = {
    "dangerously_accept_any_issuer": "does not check who issued a token. Pass issuer=...",
    "dangerously_accept_any_audience": (
        "does not check whom a token is for: a token for any other API of the same provider is accepted. "
        "Pass audience=..."
    ),
}
