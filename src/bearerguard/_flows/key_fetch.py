"""How a provider's keys are found: which addresses to ask, in which order, and what answers to believe.

A flow of `HttpGet` effects. It believes a key set only as a whole, an issuer's metadata only where it names
that issuer (RFC 8414 section 3.3), and no address off https. On any doubt it fails, and the keys in hand
stay: it never returns half a result.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import Any

import msgspec.structs

from bearerguard._core.address import is_address, metadata_addresses, why_insecure
from bearerguard._flows.effects import CallSource, FetchFailed, HttpAnswer, HttpGet
from bearerguard._jose.json_object import decode_object
from bearerguard._jose.key_material import UnusableKeys, read_keys
from bearerguard._jose.key_set import Keys, KeySet

_METADATA_SHARE = 0.4

Fetch = Generator[HttpGet | CallSource, Any, "Fetched"]


class Origin(msgspec.Struct, frozen=True):
    """Where a provider's keys come from: exactly one of `url`, `issuer` (discovery) and `function`."""

    url: str | None = None
    issuer: str | None = None
    function: Any = None
    pinned: Collection[str] | None = None
    allow_http: bool = False

    def __str__(self) -> str:
        return self.url or self.issuer or f"the function {_name_of(self.function)}"


class Fetched(msgspec.Struct, frozen=True):
    """What a fetch brought.

    `left_out` are sentences about keys that cannot be used, `doubt` is trouble that did not keep the keys
    from being had.
    """

    keys: Keys
    max_age: float | None
    etag: str | None
    address: str | None
    left_out: tuple[str, ...] = ()
    doubt: FetchFailed | None = None


def fetch_keys(origin: Origin, known: KeySet | None, *, in_haste: bool = False) -> Fetch:
    """Return the origin's keys.

    Args:
        origin: where to look.
        known: the newest key set in hand, for conditional requests and as a fallback for the address.
        in_haste: ask where the keys were before, if that is known, and leave the metadata out: the last
            fetch found no time for the keys.

    Raises:
        FetchFailed: whatever the reason; its `kind` is stable.
    """
    if origin.function is not None:
        return (yield from _from_function(origin, known))
    if origin.url is not None:
        return (yield from _from_address(origin, origin.url, known))
    if in_haste and known is not None and known.address is not None:
        address: str = known.address
        doubt: FetchFailed | None = FetchFailed("metadata_left_out", "the metadata took too long before")
    else:
        address, doubt = yield from _discover_keys(origin, known)
    fetched: Fetched = yield from _from_address(origin, address, known)
    return msgspec.structs.replace(fetched, doubt=doubt)


def _from_function(origin: Origin, known: KeySet | None) -> Fetch:
    material = yield CallSource(origin.function)
    if isinstance(material, str) and is_address(material):
        raise FetchFailed("not_a_key_set", "the key function returned an address; it has to return keys")
    keys, left_out = _believe(origin, material, known)
    return Fetched(keys, None, None, None, left_out)


def _from_address(origin: Origin, address: str, known: KeySet | None) -> Fetch:
    etag = known.etag if known is not None and known.address in (None, address) else None
    answer: HttpAnswer = yield HttpGet(address, etag)
    max_age = max_age_of(answer.cache_control)
    if answer.status == 304 and etag is not None and known is not None:
        return Fetched(known.keys, max_age, answer.etag or etag, address)
    _expect_ok(answer, address)
    keys, left_out = _believe(origin, answer.body, known)
    return Fetched(keys, max_age, answer.etag, address, left_out)


def discover(issuer: str, share: float = 1.0) -> Generator[HttpGet, HttpAnswer, dict[str, Any]]:
    """Return an issuer's metadata: from where OpenID Connect Discovery 1.0 puts it, else where RFC 8414 does.

    Args:
        issuer: an https URL.
        share: of the time that is left, how much each request may take.

    Raises:
        FetchFailed: there is none, or it is another issuer's (RFC 8414, section 3.3).
    """
    address, alternative = metadata_addresses(issuer)
    answer = yield HttpGet(address, share=share)
    if 400 <= answer.status < 500:
        address = alternative
        answer = yield HttpGet(address, share=share)
    _expect_ok(answer, address)
    try:
        metadata = decode_object(answer.body)
    except ValueError as problem:
        raise FetchFailed("not_json", f"{address}: the metadata is {problem}") from None
    named = metadata.get("issuer")
    if named != issuer:
        raise FetchFailed(
            "issuer_mismatch",
            f"{address} is the metadata of issuer {named!r:.200}, and the configured issuer is {issuer!r}",
        )
    return metadata


def _discover_keys(
    origin: Origin, known: KeySet | None
) -> Generator[HttpGet, HttpAnswer, tuple[str, FetchFailed | None]]:
    """Return the `jwks_uri` in the issuer's metadata, and what was wrong with the metadata.

    An address that was learnt before is used where the metadata cannot be had just now: the keys behind
    it are still the issuer's own. Time is kept for asking there.
    """
    learnt = None if known is None else known.address
    try:
        metadata = yield from discover(origin.issuer or "", 1.0 if learnt is None else _METADATA_SHARE)
        return _jwks_uri(origin, metadata), None
    except FetchFailed as failure:
        if learnt is None:
            raise
        return learnt, failure


def _jwks_uri(origin: Origin, metadata: dict[str, Any]) -> str:
    address = metadata.get("jwks_uri")
    if not isinstance(address, str):
        raise FetchFailed("no_jwks_uri", "the metadata names no jwks_uri")
    insecure = why_insecure(address, allow_http=origin.allow_http)
    if insecure is None and not address.startswith("https:") and (origin.issuer or "").startswith("https:"):
        # Loopback is fine for an issuer that is there itself, not for what a document from elsewhere names.
        insecure = None if origin.allow_http else "it is not https"
    if insecure is not None:
        raise FetchFailed("insecure_jwks_uri", f"the metadata's jwks_uri is {address!r:.200}, but {insecure}")
    return address


def _expect_ok(answer: HttpAnswer, address: str) -> None:
    if 300 <= answer.status < 400 and answer.status != 304:
        raise FetchFailed("redirect", f"{address} answered with a redirect (HTTP {answer.status})")
    if answer.status != 200:
        raise FetchFailed("http_status", f"{address} answered HTTP {answer.status}")


def _believe(origin: Origin, material: Any, known: KeySet | None) -> tuple[Keys, tuple[str, ...]]:
    """Read key material of the network: no secrets, pins obeyed, and no new object for the same keys."""
    try:
        found, left_out = read_keys(material, allow_secret=False)
    except UnusableKeys as problem:
        raise FetchFailed(problem.kind, f"the key set cannot be used: {problem}") from None
    if origin.pinned is not None:
        found = [key for key in found if key.thumbprint in origin.pinned]
        if not found:
            raise FetchFailed("no_pinned_key", "no key in the set has a pinned thumbprint")
    keys = Keys(found)
    if known is not None and known.keys.identities == keys.identities:
        keys = known.keys
    return keys, tuple(left_out)


def max_age_of(cache_control: str | None) -> float | None:
    """Return `max-age` in seconds from a `Cache-Control` header (RFC 9111, section 5.2.2.1), if it has one.

    Example:
        >>> max_age_of("public, max-age=3600")
        3600.0
    """
    for directive in (cache_control or "").split(","):
        name, _, value = directive.strip().partition("=")
        digits = value.strip('"')
        if name.lower() == "max-age" and digits.isascii() and digits.isdigit():
            return float(digits[:12])
    return None


def _name_of(function: Any) -> str:
    function = getattr(function, "func", function)  # of a functools.partial
    return getattr(function, "__qualname__", None) or type(function).__qualname__
