"""`RemoteKeys`: where a provider's keys are fetched from, and how.

A value, checked when it is built. It fetches nothing; that is left to the server that is given it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from bearerguard._core.address import is_address
from bearerguard._core.unchecked_tls import unchecked_tls
from bearerguard.errors import ConfigurationError
from bearerguard.provider._checks import (
    Problem,
    check_address,
    check_not_metadata,
    checked_flag,
    checked_http_options,
    checked_lifetime,
    checked_pins,
)
from bearerguard.provider._warning import warn_caller

__all__ = ["RemoteKeys", "keys_with"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False, init=False)
class RemoteKeys:
    """Keys that are fetched: discovered from the issuer, from an address, or by a function of yours.

    `Provider(keys="https://...")` is short for `RemoteKeys("https://...")`, no `keys` for `RemoteKeys()`, and
    a function as `keys` for `RemoteKeys(function=...)`.

    Args:
        url: the address of the key set, the provider's `jwks_uri`; None to discover it from the issuer. With
            `{kid}` in its path there is one key at each address, which is fetched when a token names it.
        function: in place of an address, a function without arguments, sync or async, that returns keys in
            any form that `Provider(keys=...)` takes as an object. It is called off the event loop.
        metadata_url: where the issuer's metadata is fetched, where that is not where the issuer says: an
            address inside a cluster, say. What it tells still has to name the issuer.
        kid_pattern: for a `url` with `{kid}`, the regular expression that a whole key id has to match before
            anything is fetched under it.
        lifetime: seconds for which fetched keys are fresh. By default what the provider's `Cache-Control`
            says, within bounds; `math.inf` fetches them once and for all.
        pinned_thumbprints: RFC 7638 thumbprints of the only keys to accept.
        http_options: arguments for the `httpx2.Client` that fetches (`verify`, `proxy`, `headers`, `timeout`,
            `transport`, ...).
        dangerously_allow_http: fetch over plain http off loopback. Anyone on the way can then forge tokens.

    Raises:
        ConfigurationError: for anything contradictory or unsafe.

    Warns:
        SecurityWarning: anyone on the way could change the keys.

    Examples:
        >>> keys = RemoteKeys("https://login.example/jwks", lifetime=3600)
        >>> keys.url, keys.lifetime
        ('https://login.example/jwks', 3600)
    """

    url: str | None
    function: Callable[[], Any] | None
    metadata_url: str | None
    kid_pattern: str | None
    lifetime: float | None
    pinned_thumbprints: frozenset[str] | None
    http_options: Mapping[str, Any]
    dangerously_allow_http: bool

    def __init__(
        self,
        url: str | None = None,
        *,
        function: Callable[[], Any] | None = None,
        metadata_url: str | None = None,
        kid_pattern: str | None = None,
        lifetime: float | None = None,
        pinned_thumbprints: str | Iterable[str] | None = None,
        http_options: Mapping[str, Any] | None = None,
        dangerously_allow_http: bool = False,
    ) -> None:
        try:
            checked_flag("dangerously_allow_http", dangerously_allow_http)
            values = {
                "url": _checked_url(url, allow_http=dangerously_allow_http),
                "function": _checked_function(function, url or metadata_url, http_options),
                "metadata_url": _checked_metadata_url(metadata_url, url, allow_http=dangerously_allow_http),
                "kid_pattern": _checked_kid_pattern(kid_pattern, url),
                "lifetime": checked_lifetime(lifetime),
                "pinned_thumbprints": checked_pins(pinned_thumbprints),
                "http_options": checked_http_options(http_options),
                "dangerously_allow_http": dangerously_allow_http,
            }
        except Problem as problem:
            raise ConfigurationError(f"RemoteKeys: {problem}.") from None
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if dangerously_allow_http:
            warn_caller(f"{self!r} may fetch over plain http: anyone on the way can forge tokens")
        unchecked = unchecked_tls(self.http_options)
        if unchecked is not None:
            warn_caller(f"{self!r} {unchecked}")

    def __repr__(self) -> str:
        if self.function is not None:
            return f"RemoteKeys(function={self.function!r})"
        if self.metadata_url is not None:
            return f"RemoteKeys(metadata_url={self.metadata_url!r})"
        return f"RemoteKeys({self.url!r})" if self.url is not None else "RemoteKeys()"


def _checked_url(url: Any, *, allow_http: bool) -> str | None:
    if url is None:
        return None
    if not isinstance(url, str):
        raise Problem(
            f"url is a {type(url).__name__}: give an https:// URL, function=... for a function of yours, or "
            "keys that you have as an object to Provider(keys=...) itself"
        )
    if not is_address(url):
        # Not shown: it may be a key.
        raise Problem("url is text, but not an address: give an https:// URL")
    check_not_metadata(url)
    check_address(url, "url", "give an https:// URL", allow_http=allow_http)
    return url


def _checked_metadata_url(metadata_url: Any, url: Any, *, allow_http: bool) -> str | None:
    if metadata_url is None:
        return None
    if url is not None:
        raise Problem("url= and metadata_url= exclude each other: the metadata names the address of the keys")
    if not isinstance(metadata_url, str) or "/.well-known/" not in metadata_url:
        raise Problem(
            "metadata_url is not the address of metadata: give one such as "
            "'https://keycloak.internal/realms/shop/.well-known/openid-configuration'"
        )
    remedy = (
        "give an https:// URL, or add dangerously_allow_http=True where nobody else is on the network between"
    )
    check_address(metadata_url, "metadata_url", remedy, allow_http=allow_http)
    return metadata_url


def _checked_kid_pattern(pattern: Any, url: Any) -> str | None:
    """A key id becomes part of an address only where it looks as the provider's do."""
    has_place = isinstance(url, str) and "{" in url
    if pattern is None and not has_place:
        return None
    if not has_place or url.count("{") != 1 or "{kid}" not in urlsplit(url).path:
        raise Problem(
            "kid_pattern goes with a url that has one {kid} in its path, as "
            "'https://keys.example/{kid}'; leave it out for any other url"
        )
    if not isinstance(pattern, str) or not pattern:
        raise Problem(
            "url has {kid} in it, and kid_pattern is left out: give the regular expression that a whole key "
            "id has to match, as '[0-9a-f-]{36}'"
        )
    try:
        matches = re.compile(pattern).fullmatch
    except re.error as problem:
        raise Problem(f"kid_pattern is not a regular expression: {problem}") from None
    if any(matches(odd) for odd in ("", "..", "a/b", "a?b", "a#b", "a%2fb", "a b")):
        raise Problem("kid_pattern takes more than a name: allow letters, digits, '-' and '_' only")
    return pattern


def _checked_function(function: Any, url: Any, http_options: Any) -> Callable[[], Any] | None:
    if function is None:
        return None
    if not callable(function):
        raise Problem(f"function is a {type(function).__name__}: give a function without arguments")
    if url is not None or http_options:
        raise Problem("function= excludes url= and http_options=: a function fetches by itself, choose one")
    return function  # type: ignore[no-any-return]  # what it returns is read as any answer is


def keys_with(keys: Any, provider: str, **options: Any) -> Any:
    """Return what `Provider(keys=...)` takes, for doors whose contract has the options of fetching flat.

    Args:
        keys: as `Provider` takes them.
        provider: what the provider is called, for errors.
        **options: arguments of `RemoteKeys`. Keys that are an object are not fetched: of these options
            only pins would mean something there, and they are refused.

    Raises:
        ConfigurationError: as `RemoteKeys` does, with the name of the provider.
    """
    options = {
        name: value for name, value in options.items() if value not in (None, {}) and value is not False
    }
    try:
        if isinstance(keys, RemoteKeys):
            return dataclasses.replace(keys, **options) if options else keys
        if callable(keys):
            options.pop("http_options", None)
            return RemoteKeys(function=keys, **options)
        if keys is None or (isinstance(keys, str) and is_address(keys)):
            return RemoteKeys(keys, **options)
    except ConfigurationError as problem:
        raise ConfigurationError(f"Provider {provider!r}: {problem}") from None
    if "pinned_thumbprints" in options:
        raise ConfigurationError(
            f"Provider {provider!r}: pinned_thumbprints is for keys that are fetched, and these are given "
            "as an object: give only those that you accept."
        )
    return keys
