"""How a provider's keys are fetched: from its issuer's metadata, from an address, or by a function.

A flow of effects. It believes a key set only as a whole, and no address off https. On any doubt it fails, and
the keys in hand stay: it never returns half a result. Nothing that was kept of one answer can spoil the next
question: a validator that cannot be sent back is not kept.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from typing import Any, cast

import msgspec.structs

from bearerguard._core.address import is_address
from bearerguard._core.validator import usable_validator
from bearerguard._flows.discovery import address_in, discover, unexpected_status
from bearerguard._flows.effects import CallSource, FetchFailed, HttpAnswer, HttpGet
from bearerguard._jose.key_material import UnusableKeys, read_keys
from bearerguard._jose.key_set import KeyIndex, KeySet
from bearerguard._limits import METADATA_SHARE

Fetch = Generator[HttpGet | CallSource, Any, "Fetched"]


class Discovered(msgspec.Struct, frozen=True):
    """Keys at the `jwks_uri` in the issuer's metadata, which may be fetched from an address of its own."""

    issuer: str
    pinned: Collection[str] | None = None
    allow_http: bool = False
    use: str = "sig"
    metadata_url: str | None = None

    def __str__(self) -> str:
        return self.issuer


class Published(msgspec.Struct, frozen=True):
    """Keys at an address that is configured."""

    url: str
    pinned: Collection[str] | None = None
    use: str = "sig"
    kid: str | None = None
    """The one key that is there, where each has an address of its own."""

    def __str__(self) -> str:
        return self.url


class Called(msgspec.Struct, frozen=True):
    """Keys that a function of the user's own returns."""

    function: Any
    pinned: Collection[str] | None = None
    use: str = "sig"

    def __str__(self) -> str:
        function = getattr(self.function, "func", self.function)  # of a functools.partial
        return f"the function {getattr(function, '__qualname__', None) or type(function).__qualname__}"


_ABSENT = frozenset({403, 404, 410})
"""What is answered where there is no key of an id; 403 by a bucket that may not be listed."""

Origin = Discovered | Published | Called
"""Where a provider's keys come from."""


class Fetched(msgspec.Struct, frozen=True):
    """What a fetch brought.

    Attributes:
        keys: the keys.
        max_age: `max-age` of the response, in seconds.
        etag: its validator.
        address: where the keys were.
        is_whole: whether `keys` are all that was published, none left out by pins or as unusable.
        left_out: sentences about keys that cannot be used.
        doubt: trouble that did not keep the keys from coming.
        metadata: the issuer's metadata, where it was asked for.
    """

    keys: KeyIndex
    max_age: float | None
    etag: str | None
    address: str | None
    is_whole: bool
    left_out: tuple[str, ...] = ()
    doubt: FetchFailed | None = None
    metadata: dict[str, Any] | None = None


def fetch_keys(
    origin: Origin,
    known: KeySet | None,
    *,
    in_haste: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> Fetch:
    """Return the origin's keys.

    Args:
        origin: where to look.
        known: the newest key set in hand, for conditional requests and as a fallback for the address.
        in_haste: ask where the keys were before, if that is known, and leave the metadata out: the last
            fetch found no time for the keys.
        metadata: what the issuer's metadata said a moment ago, for a first fetch.

    Raises:
        FetchFailed: whatever the reason; its `kind` is stable.
    """
    if isinstance(origin, Called):
        return (yield from _from_function(origin, known))
    if isinstance(origin, Published):
        return (yield from _from_address(origin.url, origin, known))
    found: tuple[str, dict[str, Any] | None, FetchFailed | None]
    found = yield from _locate(origin, known, in_haste=in_haste, in_hand=metadata)
    address, learnt, doubt = found
    fetched: Fetched = yield from _from_address(address, origin, known)
    return msgspec.structs.replace(fetched, doubt=doubt, metadata=learnt)


def _from_function(origin: Called, known: KeySet | None) -> Fetch:
    material = yield CallSource(origin.function)
    if isinstance(material, str) and is_address(material):
        raise FetchFailed("not_a_key_set", "the key function returned an address; it has to return keys")
    return _believed(material, origin, known, max_age=None, etag=None, address=None)


def _from_address(address: str, origin: Origin, known: KeySet | None) -> Fetch:
    etag = known.etag if known is not None and known.address in (None, address) else None
    answer: HttpAnswer = yield HttpGet(address, etag)
    max_age, validator = max_age_of(answer.cache_control), usable_validator(answer.etag)
    if answer.status == 304 and etag is not None and known is not None:
        return Fetched(known.keys, max_age, validator or etag, address, known.is_whole)
    has_own_address = isinstance(origin, Published) and origin.kid is not None
    if has_own_address and answer.status in _ABSENT:
        raise FetchFailed("absent", f"{address} answered HTTP {answer.status}: there is no such key")
    if answer.status != 200:
        raise unexpected_status(answer, address)
    body: Any = answer.body
    if has_own_address and b"-----BEGIN" in answer.body:
        body = {cast("Published", origin).kid: answer.body}
    return _believed(body, origin, known, max_age=max_age, etag=validator, address=address)


def _locate(
    origin: Discovered, known: KeySet | None, *, in_haste: bool, in_hand: Mapping[str, Any] | None
) -> Generator[HttpGet, HttpAnswer, tuple[str, dict[str, Any] | None, FetchFailed | None]]:
    """Return the `jwks_uri`, the metadata that it is from, and what was wrong with the metadata.

    An address that was learnt before is used where the metadata are unavailable just now: the keys behind
    it are still the issuer's own. Time is kept for asking there.
    """
    learnt = None if known is None else known.address
    if learnt is None:
        if in_hand is not None:
            return _jwks_uri(origin, in_hand), None, None
        metadata = yield from discover(origin.issuer, at=origin.metadata_url)
        return _jwks_uri(origin, metadata), metadata, None
    if in_haste:
        return learnt, None, FetchFailed("metadata_left_out", "the metadata took too long before")
    try:
        metadata = yield from discover(origin.issuer, METADATA_SHARE, at=origin.metadata_url)
        return _jwks_uri(origin, metadata), metadata, None
    except FetchFailed as failure:
        return learnt, None, failure


def _jwks_uri(origin: Discovered, metadata: Mapping[str, Any]) -> str:
    source = origin.metadata_url or origin.issuer
    return address_in(metadata, "jwks_uri", source, allow_http=origin.allow_http)


def _believed(
    material: Any,
    origin: Origin,
    known: KeySet | None,
    *,
    max_age: float | None,
    etag: str | None,
    address: str | None,
) -> Fetched:
    """Read key material of the network: no secrets, pins obeyed, and no new object for the same keys."""
    try:
        found, left_out = read_keys(material, allow_secret=False, use=origin.use)
    except UnusableKeys as problem:
        raise FetchFailed(problem.kind, f"the key set cannot be used: {problem}") from None
    pinned = origin.pinned
    accepted = found if pinned is None else [key for key in found if key.thumbprint in pinned]
    if not accepted:
        raise FetchFailed("no_pinned_key", "no key in the set has a pinned thumbprint")
    keys = KeyIndex(accepted) if known is None else known.keys.succeeded_by(accepted)
    is_whole = not left_out and len(accepted) == len(found)
    return Fetched(keys, max_age, etag, address, is_whole, (*left_out, *keys.untried()))


def max_age_of(cache_control: str | None) -> float | None:
    """Return `max-age` in seconds from a `Cache-Control` header (RFC 9111, section 5.2.2.1), if it has one.

    Examples:
        >>> max_age_of("public, max-age=3600")
        3600.0
    """
    for directive in (cache_control or "").split(","):
        name, _, value = directive.strip().partition("=")
        digits = value.strip('"')
        if name.lower() == "max-age" and digits.isascii() and digits.isdigit():
            return float(digits[:12])
    return None
