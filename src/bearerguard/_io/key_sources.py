"""Which key source serves a provider: one for each address and set of options, however many servers ask.

Thirty decorated views with the same address share one source, so they share its keys and its refreshes.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bearerguard._core.address import is_address
from bearerguard._flows.key_fetch import Origin
from bearerguard._io.static_keys import StaticKeySource, static_source
from bearerguard.errors import ConfigurationError
from bearerguard.provider import Provider

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
        return static_source(provider.key_set, provider.name, clock)
    from bearerguard._io.remote_keys import RemoteKeySource  # noqa: PLC0415 - threads, TLS: only who fetches

    origin = origin_of(provider)
    options = provider.http_options
    parts = (origin.url, origin.issuer, origin.function, origin.pinned, origin.allow_http)
    identity = _identity([*parts, options, provider.key_set_lifetime, clock])
    with _lock:
        source = _shared.get(identity)
        if source is None:
            try:
                source = RemoteKeySource(
                    origin, clock=clock, http_options=options, lifetime=provider.key_set_lifetime
                )
            except ConfigurationError as problem:
                raise ConfigurationError(f"Provider {provider.name!r}: {problem}") from None
            _shared[identity] = source
    return source


def origin_of(provider: Provider) -> Origin:
    """Return where a provider's keys are fetched from."""
    keys, pins = provider.keys, provider.pinned_thumbprints
    http = provider.dangerously_allow_http
    if keys is None:
        return Origin(issuer=provider.issuer, pinned=pins, allow_http=http)
    if isinstance(keys, str) and is_address(keys):
        return Origin(url=keys, pinned=pins, allow_http=http)
    return Origin(function=keys, pinned=pins, allow_http=http)


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
