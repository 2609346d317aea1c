"""The sources that serve a server's providers: one per address and set of options, whoever asks.

Thirty decorated views with the same address share one source, so they share its keys and its refreshes. A
server's own register of them warms up, reports, saves and restores; it never fetches for a request.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from bearerguard._core.address import why_insecure
from bearerguard._flows.key_fetch import Called, Discovered, Origin, Published
from bearerguard._io.key_report import VERSION, entries_of, export, health_of, restore
from bearerguard._io.static_keys import StaticKeySource, static_source
from bearerguard.errors import ConfigurationError, ProviderUnavailable
from bearerguard.observe import logger
from bearerguard.provider import Provider, RemoteKeys

if TYPE_CHECKING:
    from bearerguard._io.http import HttpClient
    from bearerguard._io.metadata import MetadataSource
    from bearerguard._io.remote_keys import RemoteKeySource
    from bearerguard._io.single_flight import SingleFlight

S = TypeVar("S", bound="SingleFlight[Any]")
AnyKeySource: TypeAlias = "RemoteKeySource | StaticKeySource"

_remote: weakref.WeakValueDictionary[Any, RemoteKeySource] = weakref.WeakValueDictionary()
_metadata: weakref.WeakValueDictionary[Any, MetadataSource] = weakref.WeakValueDictionary()
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    # A child forked while another thread held the lock would wait for that thread for ever.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class KeySources:
    """The key sources of one server's providers, by name. Safe to share by threads and event loops.

    Args:
        clock: seconds since 1970.
        defers: whether what fetches is loaded with the first refresh, as `restore` will bring keys.
    """

    def __init__(self, clock: Callable[[], float], *, defers: bool = False) -> None:
        self._clock = clock
        self._defers = defers
        # Replaced as a whole by `add`, never changed: walking it needs no lock.
        self._sources: Mapping[str, AnyKeySource] = {}
        self._metadata: Mapping[str, MetadataSource] = {}
        self._is_closed = False
        self._adding = threading.Lock()

    def add(self, provider: Provider) -> AnyKeySource:
        """Return the source of a provider's keys, and keep it under the provider's name.

        May be called at any time, but not on an event loop: it may load the code that fetches.

        Raises:
            ConfigurationError: the provider's `http_options` cannot be used, or this is closed.
        """
        with self._adding:
            self._check_open()
            for sentence in provider.left_out:
                logger().warning("provider %r: %s", provider.name, sentence)
            if provider.key_set is not None:
                source: AnyKeySource = static_source(provider.key_set, provider.name, self._clock)
            else:
                source, metadata = _shared(provider, self._clock, self, defers=self._defers)
                if metadata is not None:
                    self._metadata = {**self._metadata, provider.name: metadata}
            self._sources = {**self._sources, provider.name: source}
        return source

    def __getitem__(self, name: str) -> AnyKeySource:
        """The source of the provider of this name."""
        return self._sources[name]

    def metadata_of(self, name: str) -> MetadataSource | None:
        """The metadata of a provider's issuer; None where it is not to be asked for any."""
        self._check_open()
        return self._metadata.get(name)

    # -- warm-up -------------------------------------------------------------------------------------

    def missing(self) -> list[tuple[str, RemoteKeySource]]:
        """The sources without keys that can be used, with the names of their providers."""
        self._check_open()
        now = self._clock()
        return [
            (name, source)
            for name, source in self._fetched()
            if source.key_set is None or now >= source.key_set.usable_until
        ]

    def warm_up(self) -> None:
        """Fetch all that is missing, blocking the thread.

        Raises:
            ProviderUnavailable: where some could not be fetched; the message names each and says why.
        """
        # All are asked before any is waited for.
        joined = [(name, source, source.join("missing")) for name, source in self.missing()]
        self._raise_failures({name: source.wait_for(flight) for name, source, flight in joined})

    async def awarm_up(self) -> None:
        """The same for a task."""
        joined = [(name, source, source.join("missing")) for name, source in self.missing()]
        self._raise_failures({name: await source.await_for(flight) for name, source, flight in joined})

    def _raise_failures(self, outcomes: Mapping[str, float | None]) -> None:
        failed = {name: retry_after for name, retry_after in outcomes.items() if retry_after is not None}
        if failed:
            fetched = dict(self._fetched())
            reasons = [f"{name}: {_why(fetched[name])}" for name in failed]
            raise ProviderUnavailable("No keys from " + "; ".join(reasons), retry_after=max(failed.values()))

    # -- told to operators, and taken from them ------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """The state of each provider's keys, ready for `json.dumps`."""
        self._check_open()
        now = self._clock()
        return {name: health_of(source, now) for name, source in self._sources.items()}

    def snapshot(self) -> dict[str, Any]:
        """The fetched key sets, ready for `json.dumps`."""
        self._check_open()
        entries = {name: export(source) for name, source in self._fetched()}
        return {"version": VERSION, "providers": {name: entry for name, entry in entries.items() if entry}}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take over what `snapshot` returned in an earlier process.

        Raises:
            ConfigurationError: it is something else.
        """
        fetched = dict(self._fetched())
        for name, entry in entries_of(snapshot).items():
            source = fetched.get(name)
            if source is None or not restore(source, entry, name):
                logger().warning("ignored exported keys of %r: no provider has that name", name)
        for source in fetched.values():
            if source.key_set is None and source.client is not None:
                source.client.load()  # now: its first request will wait for a refresh

    def _fetched(self) -> list[tuple[str, RemoteKeySource]]:
        return [
            (name, source)
            for name, source in self._sources.items()
            if not isinstance(source, StaticKeySource)
        ]

    # -- the end -------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the fetches that only these providers need. May be called more than once."""
        with self._adding:
            self._is_closed = True
        with _lock:
            used: list[SingleFlight[Any]] = [source for _, source in self._fetched()]
            used += self._metadata.values()
            for source in used:
                source.users.discard(self)
            ended = [source for source in used if not source.users]
            for source in ended:
                source.is_closed = True  # from here on nobody is given it
        for source in ended:
            source.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise closed()


def closed() -> ConfigurationError:
    """The error for using a server after its end."""
    return ConfigurationError(
        "This ResourceServer is closed: close it after the last request, or build another."
    )


def origin_of(issuer: str | None, remote: RemoteKeys) -> Origin:
    """Return where a provider's keys are fetched from."""
    pins = remote.pinned_thumbprints
    if remote.function is not None:
        return Called(remote.function, pins)
    if remote.url is not None:
        return Published(remote.url, pins)
    return Discovered(issuer or "", pins, remote.dangerously_allow_http)


def _shared(
    provider: Provider, clock: Callable[[], float], user: KeySources, *, defers: bool
) -> tuple[RemoteKeySource, MetadataSource | None]:
    """The sources of a provider's keys and metadata, shared where another provider has the very same."""
    # Threads, TLS, the HTTP client: loaded only by those who fetch.
    from bearerguard._io.remote_keys import RemoteKeySource  # noqa: PLC0415

    remote = provider.remote_keys
    assert remote is not None  # noqa: S101 - keys are given, or fetched
    origin = origin_of(provider.issuer, remote)
    identity = _identity([type(origin), *_parts(origin), remote.http_options, remote.lifetime, clock])
    with _lock:
        source = _open(_remote.get(identity))
        client = _client(provider.name, remote, defers=defers) if source is None else source.client
        metadata = _metadata_source(provider.issuer, remote, client, clock)
        if source is None:
            source = _remote[identity] = RemoteKeySource(
                origin,
                client=client,
                clock=clock,
                lifetime=remote.lifetime,
                metadata=metadata if isinstance(origin, Discovered) else None,
            )
        source.users.add(user)
        if metadata is not None:
            metadata.users.add(user)
    return source, metadata


def _open(source: S | None) -> S | None:
    """A shared source, unless its last user has closed it."""
    return None if source is None or source.is_closed else source


def _client(name: str, remote: RemoteKeys, *, defers: bool) -> HttpClient | None:
    if remote.function is not None:
        return None
    from bearerguard._io.http import HttpClient  # noqa: PLC0415

    try:
        return HttpClient(remote.http_options, defers=defers)
    except ConfigurationError as problem:
        raise ConfigurationError(f"Provider {name!r}: {problem}") from None


def _metadata_source(
    issuer: str | None, remote: RemoteKeys, client: HttpClient | None, clock: Callable[[], float]
) -> MetadataSource | None:
    """The issuer's metadata; None where keys come from a function, or the issuer is not an address to ask."""
    if issuer is None or client is None or why_insecure(issuer, allow_http=remote.dangerously_allow_http):
        return None
    from bearerguard._io.metadata import MetadataSource  # noqa: PLC0415

    identity = _identity([issuer, remote.http_options, clock])
    source = _open(_metadata.get(identity))
    if source is None:
        source = _metadata[identity] = MetadataSource(issuer, client=client, clock=clock)
    return source


def _parts(origin: Origin) -> tuple[Any, ...]:
    return tuple(getattr(origin, name) for name in origin.__struct_fields__)


def _why(source: RemoteKeySource) -> str:
    failure = source.last_failure
    return failure.message if failure is not None else "not fetched yet"


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
    """Equal only to itself, and keeps the object alive, so that its identity is not given to another."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and other._value is self._value

    def __hash__(self) -> int:
        return id(self._value)
