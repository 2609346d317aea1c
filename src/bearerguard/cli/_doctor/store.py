"""What `doctor` says of the store that the processes of an API share: whether it answers, what it forgets.

`facts_of` asks it one question, as a request would, within the store's own deadline; the rest is pure.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from bearerguard._flows.effects import StoreFailed
from bearerguard.cli._doctor.findings import Finding
from bearerguard.errors import ConfigurationError
from bearerguard.explain.situation import duration, shown

if TYPE_CHECKING:  # redis-py is an extra, which a program without a store does not have
    from bearerguard.stores.redis import RedisStore

__all__ = ["StoreFacts", "about_revocations", "about_store", "facts_of"]

_OLDEST = 7
_NEARLY_FULL = 0.9


class StoreFacts(NamedTuple):
    """What an engine says of itself.

    Attributes:
        timeout: the store's deadline, in seconds.
        seconds: how long it took to answer.
        failure: why no answer came.
        version: of the engine.
        policy: what it does when its memory is full.
        limit: its memory in bytes; 0 where it has no limit.
        used: how much of that is in use.
        evicted: how many names it has forgotten before their time.
        is_replica: whether it only follows another.
        is_sealing: whether key sets and answers are shared too.
        is_unencrypted: whether it is asked over a network without TLS.
    """

    timeout: float
    seconds: float = 0.0
    failure: str | None = None
    version: str = "?"
    policy: str | None = None
    limit: int = 0
    used: int = 0
    evicted: int = 0
    is_replica: bool = False
    is_sealing: bool = False
    is_unencrypted: bool = False


def facts_of(store: RedisStore) -> StoreFacts:
    """Return what the engine of a store says of itself; of a Cluster, what one node says."""
    began = time.monotonic()
    try:
        told: Any = store.commands.run(lambda client: client.info())
    except (StoreFailed, ConfigurationError) as problem:
        return StoreFacts(store.timeout, failure=str(problem))
    took = time.monotonic() - began
    if isinstance(next(iter(told.values()), None), dict):
        told = next(iter(told.values()))
    return StoreFacts(
        store.timeout,
        took,
        None,
        _text(told.get(b"valkey_version") or told.get(b"redis_version") or b"?"),
        None if b"maxmemory_policy" not in told else _text(told[b"maxmemory_policy"]),
        int(told.get(b"maxmemory", 0)),
        int(told.get(b"used_memory", 0)),
        int(told.get(b"evicted_keys", 0)),
        told.get(b"role") == b"slave",
        store.is_sealing,
        store.commands.is_unencrypted,
    )


def about_store(facts: StoreFacts) -> list[Finding]:
    """Return what is to be said of a store."""
    if facts.failure is not None:
        return [
            Finding(
                "error", "store", f"cannot be asked: {shown(facts.failure)[1:-1]}",
                "Until it can, requests that need it (for proofs, for revocations) are answered 503: look at "
                "its address, its password, and the network between.",
            )
        ]  # fmt: skip
    return [_about_speed(facts), *_about_engine(facts), _about_memory(facts), _about_sealing(facts)]


def _about_speed(facts: StoreFacts) -> Finding:
    said = f"answered in {facts.seconds * 1000:.0f} ms; {facts.timeout * 1000:.0f} ms are waited for"
    if facts.seconds > facts.timeout / 2:
        return Finding(
            "warning", "store", said, "Place it nearer to the API, or write RedisStore(timeout=...)."
        )
    return Finding("ok", "store", said)


def _about_engine(facts: StoreFacts) -> list[Finding]:
    findings = []
    if facts.is_unencrypted:
        findings.append(
            Finding(
                "warning", "store", "is asked over a network without TLS",
                "Anyone on the way can read its password, and change what was revoked: write rediss://.",
            )
        )  # fmt: skip
    major = facts.version.partition(".")[0]
    if major.isdecimal() and int(major) < _OLDEST:
        findings.append(
            Finding(
                "error", "store", f"is of version {shown(facts.version)[1:-1]}", "Use Redis 7 or Valkey 8."
            )
        )
    if facts.is_replica:
        findings.append(
            Finding(
                "error", "store", "is a replica, which cannot be written", "Give the address of its primary."
            )
        )
    return findings


def _about_memory(facts: StoreFacts) -> Finding:
    policy = shown(facts.policy)[1:-1]
    if facts.policy not in (None, "noeviction"):
        gone = f", and has forgotten {facts.evicted:,} names so far" if facts.evicted else ""
        return Finding(
            "warning", "eviction", f"the engine forgets names when its memory is full ({policy}){gone}",
            "A proof could be used twice, and a revocation be lost: set maxmemory-policy to noeviction, or "
            "give "
            "the API an engine of its own.",
        )  # fmt: skip
    if facts.limit and facts.used > facts.limit * _NEARLY_FULL:
        return Finding(
            "warning", "memory", f"{facts.used / facts.limit:.0%} of its memory is in use",
            "When it is full, nothing more can be noted, and requests are answered 503.",
        )  # fmt: skip
    return Finding("ok", "eviction", "nothing is forgotten before its time")


def _about_sealing(facts: StoreFacts) -> Finding:
    if facts.is_sealing:
        return Finding("ok", "store", "key sets and answers are shared, sealed by the secret")
    return Finding("note", "store", "has no secret: only proofs and revocations are shared")


def about_revocations(health: Mapping[str, Any], *, are_heard: bool, is_shared: bool) -> list[Finding]:
    """Return what is to be said of how revocations are heard.

    Args:
        health: their part of `ResourceServer.health()`.
        are_heard: whether a request would be told of all of them.
        is_shared: whether there is a store.
    """
    if health["full"]:
        return [
            Finding(
                "error", "revocation", f"the list is full, with {health['entries']:,} entries",
                "Requests are answered 503 until some have lapsed: write a shorter Revocation(horizon=...).",
            )
        ]  # fmt: skip
    if not are_heard:
        return [
            Finding(
                "error", "revocation", "cannot be heard: requests are answered 503",
                "See what is said of the store.",
            )
        ]  # fmt: skip
    findings = []
    if not is_shared:
        findings.append(
            Finding(
                "note",
                "revocation",
                "known only to the process in which a token is taken back: see RedisStore",
            )
        )
    else:
        lag = health.get("lag")
        heard = "" if lag is None else f", heard {duration(lag)} ago"
        findings.append(Finding("ok", "revocation", f"{health['entries']:,} in force{heard}"))
    if health.get("skipped"):
        findings.append(
            Finding(
                "warning", "revocation", f"{health['skipped']:,} entries in the store cannot be read",
                "Give each API a prefix of its own, and see who else writes there.",
            )
        )  # fmt: skip
    return findings


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
