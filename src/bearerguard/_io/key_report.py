"""What can be told about key sources: their health, and their keys in a form that outlives the process.

Reads and writes plain JSON-ready values; it never fetches and never judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from bearerguard._core.validator import usable_validator
from bearerguard._io.keys_by_kid import KeysByKid
from bearerguard._io.static_keys import StaticKeySource
from bearerguard._jose.key_material import UnusableKeys, read_keys
from bearerguard._jose.key_set import KeyIndex, KeySet, dated, lifetime_of
from bearerguard.errors import ConfigurationError

if TYPE_CHECKING:
    from bearerguard._flows.key_fetch import Origin
    from bearerguard._io.remote_keys import RemoteKeySource

VERSION = 1


def health_of(source: RemoteKeySource | StaticKeySource | KeysByKid, now: float) -> dict[str, Any]:
    """Return a provider's health. Times are seconds since 1970, ages are seconds.

    `state` is `fixed` for given keys, else `fresh`, `stale` (past their lifetime, still used) or `none`. Of
    keys with an address each, it is that of the one that was fetched last.
    """
    if isinstance(source, KeysByKid):
        return _health_of_several(source.all(), now)
    key_set = source.key_set
    report: dict[str, Any] = {
        "state": _state(source, now),
        "age": None,
        "keys": 0 if key_set is None else len(key_set.keys.all),
        "kids": [] if key_set is None else [key.kid for key in key_set.keys.all],
        "last_success": None,
        "last_failure": None,
        "next_refresh": None,
    }
    if isinstance(source, StaticKeySource):
        return report
    if key_set is not None:
        report["age"] = max(0.0, now - key_set.fetched_at)
        report["last_success"] = key_set.fetched_at
    if source.last_failure is not None:
        failure = source.last_failure
        report["last_failure"] = {"at": failure.at, "reason": failure.kind, "message": failure.message}
    report["next_refresh"] = source.next_refresh
    return report


def _health_of_several(sources: list[RemoteKeySource], now: float) -> dict[str, Any]:
    reports = [health_of(source, now) for source in sources]
    reports.sort(key=lambda report: report["last_success"] or 0.0)
    if not reports:
        return health_of(StaticKeySource(KeySet(KeyIndex(()))), now) | {"state": "none"}
    kids = [kid for report in reports for kid in report["kids"]]
    return {**reports[-1], "keys": len(kids), "kids": kids}


def export(source: RemoteKeySource) -> dict[str, Any] | None:
    """Return a source's key set as JSON-ready values, or None where it has none yet."""
    key_set = source.key_set
    return None if key_set is None else entry_of(source.origin, key_set)


def entry_of(origin: Origin, key_set: KeySet) -> dict[str, Any]:
    """Return a key set as JSON-ready values."""
    return {
        "origin": str(origin),
        "fetched_at": key_set.fetched_at,
        "lifetime": key_set.lifetime if isfinite(key_set.lifetime) else None,
        # Where keys were left out of a set, its validator would hide them from a reader that takes more.
        "etag": key_set.etag if key_set.is_whole else None,
        "is_whole": key_set.is_whole,
        "address": key_set.address,
        "keys": [dict(key.jwk) for key in key_set.keys.all],
    }


def restore(source: RemoteKeySource, entry: Any, name: str) -> bool:
    """Give a source the key set that was exported from it; return False where it was another's.

    The keys have the age they had: any that are too old by now are not used.

    Raises:
        ConfigurationError: where `entry` is not one that was exported.
    """
    try:
        if entry["origin"] != str(source.origin):
            return False
        key_set = key_set_in(entry, source.origin, source.lifetime, source.clock())
    except UNREADABLE as problem:
        raise ConfigurationError(
            f"The exported keys of provider {name!r} cannot be read ({problem!r}): pass what snapshot() "
            "returned, unchanged, or nothing."
        ) from None
    if key_set.keys.all:
        source.adopt(key_set)
    return bool(key_set.keys.all)


UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, OverflowError, UnusableKeys)
"""What `key_set_in` raises of an entry that is not one."""


def key_set_in(
    entry: Any,
    origin: Origin,
    lifetime: float | None,
    now: float,
    *,
    chance: float = 0.0,
    known: KeySet | None = None,
) -> KeySet:
    """Return the key set that was exported, with the age it had, and without keys that have no pin.

    Args:
        entry: what `export` returned.
        origin: where the keys are from.
        lifetime: the configured one.
        now: seconds of the server's clock.
        chance: a random number from 0 to 1, which spreads the refreshes of many processes.
        known: the set in hand: where the keys are the same, so is the object that holds them.
    """
    exported, left_out = read_keys(list(entry["keys"]), allow_secret=False)
    pinned = origin.pinned
    keys = exported if pinned is None else [key for key in exported if key.thumbprint in pinned]
    was_whole = entry.get("is_whole") is True
    told = entry["lifetime"]
    return dated(
        KeyIndex(keys) if known is None else known.keys.succeeded_by(keys),
        # A date that is wrong must not keep keys alive for longer than they would be.
        fetched_at=min(_number(entry["fetched_at"]), now),
        lifetime=lifetime_of(None if told is None else _number(told), lifetime),
        chance=chance,
        etag=usable_validator(_text_or_none(entry["etag"])) if was_whole and not left_out else None,
        address=_text_or_none(entry["address"]),
        is_whole=was_whole and not left_out and len(keys) == len(exported),
    )


def entries_of(exported: Any) -> Mapping[str, Any]:
    """Return the entries, by provider, of what `ResourceServer.snapshot` returned.

    Raises:
        ConfigurationError: where it is something else.
    """
    if not isinstance(exported, Mapping) or exported.get("version") != VERSION:
        raise ConfigurationError("snapshot is not what snapshot() of this version returned: leave it out.")
    entries = exported.get("providers")
    if not isinstance(entries, Mapping):
        raise ConfigurationError("snapshot is not what snapshot() returned: it has no providers.")
    return entries


def _state(source: RemoteKeySource | StaticKeySource, now: float) -> str:
    key_set = source.key_set
    if isinstance(source, StaticKeySource):
        return "fixed"
    if key_set is None or now >= key_set.usable_until:
        return "none"
    return "fresh" if now < key_set.fetched_at + key_set.lifetime else "stale"


def _number(value: Any) -> float:
    number = float(value)
    if not 0 <= number < float("inf"):
        raise ValueError(f"{value!r:.40} is not a time")
    return number


def _text_or_none(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"{value!r:.40} is not text")
