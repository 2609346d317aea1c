"""`Provider`: one issuer that is trusted, and everything that its tokens must fulfil.

A value, checked when it is built: anything missing or unsafe is a `ConfigurationError` that says what to
write instead. It fetches nothing, logs nothing and holds no state.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Never

from bearerguard._core.address import is_address
from bearerguard._core.claim_path import Path
from bearerguard._core.issuer import why_not_discovered
from bearerguard._core.issuer_template import IssuerTemplate, has_place
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
    checked_client_claim,
    checked_flag,
    checked_issuer,
    checked_leeway,
    checked_mapping,
    checked_name,
    checked_path,
    checked_required_values,
)
from bearerguard.provider._issuer_checks import (
    Tenants,
    checked_aliases,
    checked_key_use,
    checked_roles_paths,
    checked_signer,
    checked_template,
    checked_tenants,
    checked_trust_domain,
)
from bearerguard.provider._warning import warn_caller
from bearerguard.provider.keys import RemoteKeys
from bearerguard.provider.profiles import JWT, Profile

if TYPE_CHECKING:
    from bearerguard.provider.introspection import Introspection
    from bearerguard.provider.sources import Source

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
            `["resource_access", "my.api", "roles"]`; a list of such lists where they stand in several places.
        roles_are_keys: the roles are the names of an object's members, not an array.
        client_claim: the claim that names the client; by default `client_id`, `azp` or `appid`.
        tenants: for an issuer with a place for the tenant (`"https://login.example/{tid}/v2.0"`): the tenants
            to trust, or a function that is given one and returns True. It is asked after the signature was
            verified, and the claim in the braces has to name the same tenant as `iss`.
        issuer_aliases: other exact `iss` values of the same issuer.
        trust_domain: in place of an issuer, the SPIFFE trust domain of its tokens' `sub`.
        signer: in place of issuer and audience, the ARN of the load balancer in its tokens' header.
        key_use: the `use` of its keys, where that is not `sig`.
        introspection: how to ask it about tokens that only it can read (RFC 7662).
        source: where else than in `Authorization` requests carry its tokens: `Header(name)`, `Cookie(name)`.
            Nothing else is read for it, and its place is not read for other providers.
        dangerously_accept_any_issuer: do not check `iss`.
        dangerously_accept_any_audience: do not check the audience: a token for any other API of the same
            provider opens this one.

    Raises:
        ConfigurationError: for anything missing, contradictory or unsafe.

    Examples:
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
    roles_claim: Path | Sequence[Sequence[str]]
    roles_are_keys: bool
    client_claim: str | None
    tenants: Tenants | None
    issuer_aliases: tuple[str, ...]
    trust_domain: str | None
    signer: str | None
    key_use: str
    introspection: Introspection | None
    source: Source | None
    dangerously_accept_any_issuer: bool
    dangerously_accept_any_audience: bool

    audiences: tuple[str, ...] = field(init=False)
    required_values: Mapping[str, tuple[Any, ...]] = field(init=False)
    remote_keys: RemoteKeys | None = field(init=False)
    """How its keys are fetched; None where they were given as an object."""
    key_set: KeySet | None = field(init=False)
    """The keys, where they were given as an object, or where none are needed; None where they are fetched."""
    roles_paths: tuple[Path, ...] = field(init=False)
    issuer_template: IssuerTemplate | None = field(init=False)
    """Its issuer, where that has a place for the tenant."""
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
        roles_claim: Path | Sequence[Sequence[str]] = "roles",
        roles_are_keys: bool = False,
        client_claim: str | None = None,
        tenants: str | Iterable[str] | Callable[[str], bool] | None = None,
        issuer_aliases: str | Iterable[str] = (),
        trust_domain: str | None = None,
        signer: str | None = None,
        key_use: str = "sig",
        introspection: Introspection | None = None,
        source: Source | None = None,
        dangerously_accept_any_issuer: bool = False,
        dangerously_accept_any_audience: bool = False,
        **moved: Never,
    ) -> None:
        if moved:
            raise _moved(moved)
        called = checked_name(name, issuer or trust_domain or signer)
        try:
            any_issuer = checked_flag("dangerously_accept_any_issuer", dangerously_accept_any_issuer)
            any_audience = checked_flag("dangerously_accept_any_audience", dangerously_accept_any_audience)
            values: dict[str, Any] = {
                "trust_domain": checked_trust_domain(trust_domain, issuer),
                "signer": checked_signer(signer, issuer, audience),
                "name": called,
                "leeway": checked_leeway(leeway),
                "profile": _checked_profile(profile),
                "audience_claim": checked_audience_claim(audience_claim),
                "audiences": checked_audiences(
                    audience, audience_claim, accept_any=any_audience or (signer is not None and not audience)
                ),
                "algorithms": checked_algorithms(algorithms),
                "required_claims": checked_mapping("required_claims", required_claims),
                "scope_claim": None if scope_claim is None else checked_path("scope_claim", scope_claim),
                "roles_paths": checked_roles_paths(roles_claim, checked_path),
                "roles_are_keys": checked_flag("roles_are_keys", roles_are_keys),
                "client_claim": checked_client_claim(client_claim),
                "tenants": checked_tenants(tenants),
                "key_use": checked_key_use(key_use),
                "introspection": _checked_introspection(introspection, issuer, keys),
                "source": _checked_source(source),
                "dangerously_accept_any_issuer": any_issuer,
                "dangerously_accept_any_audience": any_audience,
            }
            paths = values["roles_paths"]
            values["roles_claim"] = paths[0] if len(paths) == 1 else paths
            has_no_issuer = any_issuer or trust_domain is not None or signer is not None
            values["issuer"] = checked_issuer(issuer, accept_any=has_no_issuer)
            values["issuer_template"] = checked_template(values["issuer"], values["tenants"])
            values["issuer_aliases"] = checked_aliases(issuer_aliases, values["issuer"])
            values["required_values"] = checked_required_values(values["required_claims"])
            # As it was given, but for an iterator: a copy of the provider is made from what stands here.
            as_given = audience is None or isinstance(audience, str)
            values["audience"] = audience if as_given else values["audiences"]
            values["keys"] = list(keys) if isinstance(keys, Iterator) else keys
            needs_none = introspection is not None and introspection.needs_no_keys
            remote = None
            if keys is not None or not needs_none:
                remote = _remote_keys(values["keys"], values["issuer"])
            values["remote_keys"] = remote
            if needs_none:
                values["key_set"], values["left_out"] = KeySet(KeyIndex(())), ()
            elif remote is None:
                values["key_set"], values["left_out"] = _read(values["keys"], values["algorithms"], key_use)
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

    @classmethod
    def from_env(cls, prefix: str = "BEARERGUARD_", *, environ: Mapping[str, str] | None = None) -> Provider:
        """The provider that variables of the environment describe: `BEARERGUARD_ISSUER` and so on.

        Args:
            prefix: how their names begin.
            environ: the environment; that of the process by default.

        Raises:
            ConfigurationError: there is none or more than one, a name is unknown, or a value cannot be used.

        Examples:
            >>> environ = {"BEARERGUARD_PRESET": "auth0", "BEARERGUARD_DOMAIN": "shop.eu.auth0.com"}
            >>> environ["BEARERGUARD_AUDIENCE"] = "https://api.shop.example"
            >>> Provider.from_env(environ=environ).issuer
            'https://shop.eu.auth0.com/'
        """
        # By name, as it stands above this: it builds providers, by presets too, and reads the environment.
        providers: list[Provider] = importlib.import_module("bearerguard._environment").providers_from(
            prefix, environ
        )
        if len(providers) > 1:
            raise ConfigurationError(
                f"The variables that begin with {prefix} describe {len(providers)} providers: write "
                "ResourceServer.from_env()."
            )
        return providers[0]

    def __repr__(self) -> str:
        return f"Provider({self.issuer!r}, audience={self.audiences!r}, name={self.name!r})"


def _checked_profile(profile: Any) -> Profile:
    if not isinstance(profile, Profile):
        raise Problem(f"profile is a {type(profile).__name__}: give JWT, RFC9068 or ID_TOKEN")
    return profile


def _checked_introspection(introspection: Any, issuer: Any, keys: Any) -> Introspection | None:
    if introspection is None:
        return None
    from bearerguard.provider.introspection import Introspection  # noqa: PLC0415 - loaded by those who have it

    if not isinstance(introspection, Introspection):
        raise Problem(
            f"introspection is a {type(introspection).__name__}: give Introspection(client_id, client_secret)"
        )
    if issuer is not None and has_place(issuer):
        raise Problem("introspection is for one issuer, and issuer has a place for the tenant: leave one out")
    if introspection.signed and isinstance(keys, RemoteKeys) and keys.kid_pattern is not None:
        raise Problem("signed answers are not verified with keys that have an address each: leave signed out")
    if introspection.method == "private_key_jwt" and issuer is None:
        raise Problem("an assertion of private_key_jwt names the issuer, and issuer is None: give it")
    if introspection.signed and issuer is None:
        raise Problem("signed answers name their issuer, and issuer is None: give it, or leave signed out")
    if introspection.url is None:
        allow_http = isinstance(keys, RemoteKeys) and keys.dangerously_allow_http
        is_known = isinstance(keys, RemoteKeys) and keys.metadata_url is not None
        if issuer is None or (not is_known and why_not_discovered(issuer, allow_http=allow_http) is not None):
            raise Problem(
                "introspection has no url, and issuer is not an address to discover it from: give "
                "Introspection(..., url=...)"
            )
    return introspection


def _checked_source(source: Any) -> Source | None:
    if source is None:
        return None
    from bearerguard.provider.sources import Source  # noqa: PLC0415 - loaded by those who have it

    if not isinstance(source, Source):
        raise Problem(f"source is a {type(source).__name__}: give Header(name) or Cookie(name)")
    return source


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
    if remote.url is None and remote.function is None and (remote.metadata_url is None or issuer is None):
        if issuer is None or has_place(issuer):
            raise Problem(
                "keys is left out, so they would be discovered, but there is not one issuer to discover them "
                "from: give keys, such as the address of the key set"
            )
        problem = why_not_discovered(issuer, allow_http=remote.dangerously_allow_http)
        if problem is not None:
            raise Problem(problem)
    return remote


def _check_fetchable(algorithms: frozenset[str]) -> None:
    """Anyone who can read a secret can sign with it, so a published key is never one."""
    if all(ALGORITHMS[name].is_symmetric for name in algorithms):
        raise Problem("a symmetric key is never fetched: give keys as an object with the oct key")


def _read(keys: Any, algorithms: frozenset[str], use: str) -> tuple[KeySet, tuple[str, ...]]:
    """The keys that were given as an object, and a sentence about each that cannot be used."""
    secrets_accepted = any(ALGORITHMS[name].is_symmetric for name in algorithms)
    try:
        found, left_out = read_keys(keys, allow_secret=secrets_accepted, use=use)
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
