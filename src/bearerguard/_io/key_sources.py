"""Which key source serves a provider: one for each address and set of options, however many servers ask.

Thirty decorated views with the same address share one source, so they share its keys and its refreshes.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bearerguard._flows.key_fetch import Origin
from bearerguard._io.static_keys import StaticKeySource
from bearerguard.errors import ConfigurationError
from bearerguard.provider import Provider, RemoteKeys

if TYPE_CHECKING:
    from bearerguard._io.remote_keys import RemoteKeySource

_shared: weakref.WeakValueDictionary[Any, RemoteKeySource] = weakref.WeakValueDictionary()
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    # A child forked while another thread held the lock would wait for that thread for ever.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def key_source(provider: Provider, clock: Callable[[], float]) -> RemoteKeySource | StaticKeySource:
    """Return the source of a provider's keys, shared where another provider has the very same.

    Raises:
        ConfigurationError: where the provider's `http_options` cannot be used.
    """
    if provider.key_set is not None:
        return StaticKeySource(provider.key_set)
    from bearerguard._io.remote_keys import RemoteKeySource  # noqa: PLC0415 - threads, TLS: only who fetches

    remote = provider.remote_keys
    assert remote is not None  # noqa: S101 - keys are given, or fetched
    origin = origin_of(provider.issuer, remote)
    options, lifetime = remote.http_options, remote.lifetime
    parts = (origin.url, origin.issuer, origin.function, origin.pinned, origin.allow_http)
    identity = _identity([*parts, options, lifetime, clock])
    with _lock:
        source = _shared.get(identity)
        if source is None:
            try:
                source = RemoteKeySource(origin, clock=clock, http_options=options, lifetime=lifetime)
            except ConfigurationError as problem:
                raise ConfigurationError(f"Provider {provider.name!r}: {problem}") from None
            _shared[identity] = source
    return source


def origin_of(issuer: str | None, remote: RemoteKeys) -> Origin:
    """Return where a provider's keys are fetched from."""
    pins, http = remote.pinned_thumbprints, remote.dangerously_allow_http
    if remote.function is not None:
        return Origin(function=remote.function, pinned=pins, allow_http=http)
    if remote.url is not None:
        return Origin(url=remote.url, pinned=pins, allow_http=http)
    return Origin(issuer=issuer, pinned=pins, allow_http=http)


def _identity(value: Any) -> Any:
    """A hashable stand-in for an option: equal for equal plain values, its own for any other object."""
    if isinstance(value, Mapping):
        return frozenset((name, _identity(item)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(_identity(item) for item in value)
    try:
        hash(value)
    except TypeError:
        return _ById(value)
    return value


class _ById:
    """Equal to itself alone, and keeps the object alive, so that its identity is not given to another."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and other._value is self._value

    def __hash__(self) -> int:
        return id(self._value)
