"""The checks of what a `Provider` and its `RemoteKeys` are built with: one function per option.

Each takes what was given and returns it in its one form, or raises `Problem`: why it is refused and what to
write instead, without saying whose option it is. Nothing here reads a key or a token.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from bearerguard._core.address import why_insecure
from bearerguard._core.claim_path import Path
from bearerguard._core.issuer import holds_password, why_not_an_issuer
from bearerguard._jose.algorithms import ALGORITHMS
from bearerguard._limits import MAX_LEEWAY
from bearerguard.errors import ConfigurationError


class Problem(Exception):
    """What is wrong with an option, and what to write instead: a clause without its subject."""


def checked_name(name: Any, issuer: Any) -> str:
    """A provider's name, else its issuer: how errors, logs and the application call it."""
    if name is not None and not isinstance(name, str):
        raise ConfigurationError(f"A provider's name is a {type(name).__name__}: it must be a string.")
    shown = issuer if isinstance(issuer, str) and not holds_password(issuer) else ""
    return name or shown or "without issuer"


def checked_issuer(issuer: Any, *, accept_any: bool) -> str | None:
    """The exact `iss` of a provider's tokens (RFC 7519, section 4.1.1)."""
    if accept_any:
        if issuer is not None:
            raise Problem("issuer= and dangerously_accept_any_issuer=True exclude each other: choose one")
        return None
    if not isinstance(issuer, str) or not issuer:
        raise Problem(
            "issuer is missing or empty: write the exact 'iss' of its tokens, such as "
            "'https://login.example/'; it is the 'issuer' in the provider's openid-configuration"
        )
    problem = why_not_an_issuer(issuer)
    if problem is not None:
        raise Problem(problem)
    return issuer


def checked_leeway(leeway: Any) -> float:
    """Seconds of clock difference to forgive (RFC 7519, section 4.1.4: "no more than a few minutes")."""
    if not isinstance(leeway, int | float) or not 0 <= leeway <= MAX_LEEWAY:
        raise Problem(f"leeway is {_shown(leeway)}: give seconds from 0 to {MAX_LEEWAY:g}")
    return leeway


def checked_audience_claim(claim: Any) -> str:
    """The name of the claim that holds the audience."""
    if not isinstance(claim, str) or not claim:
        raise Problem("audience_claim is empty: name the claim that holds the audience, as 'aud'")
    return claim


def checked_client_claim(claim: Any) -> str | None:
    """The name of the claim that names the client."""
    if claim is not None and (not isinstance(claim, str) or not claim):
        raise Problem("client_claim is empty: name the claim that names the client, as 'cid'")
    return claim


def checked_audiences(audience: Any, claim: str, *, accept_any: bool) -> tuple[str, ...]:
    """The audiences of which a token must name one (RFC 7519, section 4.1.3); none where any is accepted."""
    if audience is None and accept_any:
        return ()
    audiences = names_in(audience)
    if not audiences:
        raise Problem(
            "audience is missing or empty: write what its tokens for this API carry in "
            f"{claim!r}, such as 'https://api.example', or a list of such names. Without it, a token meant "
            "for any other API would open this one"
        )
    if accept_any:
        raise Problem("audience= and dangerously_accept_any_audience=True exclude each other: choose one")
    for name in audiences:
        if name != name.strip():  # the end of a line, mostly, from a file or a variable
            meant = repr(name.strip())[:200]
            raise Problem(f"audience has {name!r:.200}, with white space around it: write {meant}")
    return audiences


def checked_algorithms(given: Any) -> frozenset[str]:
    """The accepted `alg` values (RFC 8725, section 3.1)."""
    algorithms = frozenset(names_in(given))
    unknown = sorted(algorithms - ALGORITHMS.keys())
    if unknown or not algorithms:
        raise Problem(
            f"algorithms has {', '.join(unknown) or 'no name'}: choose from {', '.join(ALGORITHMS)}"
        )
    return algorithms


def checked_required_values(required: Mapping[str, Any]) -> Mapping[str, tuple[Any, ...]]:
    """The values that each required claim may have; one of them is enough."""
    values: dict[str, tuple[Any, ...]] = {}
    for claim, wanted in required.items():
        several = isinstance(wanted, list | tuple | set | frozenset)
        values[claim] = tuple(wanted) if several else (wanted,)
        if not values[claim] or None in values[claim]:
            raise Problem(f"required_claims[{claim!r:.80}] has no value: give the one it must have")
    return MappingProxyType(values)


def checked_path(option: str, given: Any) -> Path:
    """Where in the claims something stands: a dotted path, or the keys one by one."""
    keys = names_in(given)
    if not keys:
        shown = "empty" if given in ("", [], ()) else f"a {type(given).__name__}"
        raise Problem(f"{option} is {shown}: give a path such as 'realm_access.roles', or its keys")
    return keys[0] if isinstance(given, str) else keys


def checked_mapping(option: str, given: Any) -> Mapping[str, Any]:
    """A mapping that nobody can change any more."""
    if given is None or isinstance(given, Mapping):
        return MappingProxyType(dict(given or {}))
    raise Problem(f"{option} is a {type(given).__name__}: give a mapping")


def checked_http_options(given: Any) -> Mapping[str, Any]:
    """The arguments of the HTTP client; the client judges what they mean, except for redirects."""
    options = dict(checked_mapping("http_options", given))
    if options.pop("follow_redirects", False):
        raise Problem(
            "http_options has follow_redirects: keys are never taken from where a redirect leads. Give the "
            "final address as keys"
        )
    return MappingProxyType(options)


def checked_lifetime(lifetime: Any) -> float | None:
    """Seconds for which fetched keys are fresh."""
    if lifetime is None:
        return None
    if not isinstance(lifetime, int | float) or math.isnan(lifetime) or lifetime <= 0:
        raise Problem(f"lifetime is {_shown(lifetime)}: give seconds above 0, math.inf or None")
    return lifetime


def checked_pins(given: Any) -> frozenset[str] | None:
    """The thumbprints (RFC 7638) of the only keys to accept."""
    if given is None:
        return None
    pins = frozenset(names_in(given))
    if not pins or not all(re.fullmatch(_THUMBPRINT, pin) for pin in pins):
        raise Problem(
            "pinned_thumbprints has something other than RFC 7638 thumbprints (SHA-256 in base64url, 43 "
            "characters): give one or several, or leave it out"
        )
    return pins


def check_address(url: str, what: str, remedy: str, *, allow_http: bool) -> None:
    """Keys come over https, or from loopback: anyone who can change them on the way can forge any token."""
    problem = why_insecure(url, allow_http=allow_http)
    if problem is not None:
        shown = url.rpartition("@")[2]  # the part before it may be a password
        raise Problem(f"{what} is {shown!r}, but {problem}: {remedy}")


def check_not_metadata(url: str) -> None:
    """The address of a key set is not that of the metadata in which it stands."""
    if url.partition("?")[0].endswith(("/openid-configuration", "/oauth-authorization-server")):
        raise Problem(
            "keys is the address of an issuer's metadata: leave keys out and give the issuer, to have them "
            "discovered, or give the jwks_uri that stands in the metadata"
        )


def checked_flag(option: str, given: Any) -> bool:
    """A boolean, and not text such as "false", which would count as true."""
    if not isinstance(given, bool):
        raise Problem(f"{option} is a {type(given).__name__}: write True or False")
    return given


def names_in(given: str | Iterable[Any] | Any) -> tuple[str, ...]:
    """One or several non-empty strings; none where `given` is anything else."""
    try:
        names = (given,) if isinstance(given, str) else tuple(given)
    except TypeError:
        return ()
    return names if all(isinstance(name, str) and name for name in names) else ()


def _shown(number: object) -> str:
    """A number as it is, anything else by its type: a secret may stand where it does not belong."""
    return repr(number) if isinstance(number, int | float) else f"a {type(number).__name__}"


_THUMBPRINT = r"[A-Za-z0-9_-]{43}"
