"""The sources that serve a server's providers: one per address and set of options, whoever asks.

Thirty decorated views with the same address share one source, so they share its keys and its refreshes. A
server's own register of them warms up, reports, saves and restores; it never fetches for a request.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from bearerguard._core.address import why_insecure
from bearerguard._core.issuer_template import has_place
from bearerguard._flows.key_fetch import Called, Discovered, Origin, Published
from bearerguard._io.key_report import VERSION, entries_of, export, health_of, restore
from bearerguard._io.keys_by_kid import KeysByKid
from bearerguard._io.static_keys import StaticKeySource, static_source
from bearerguard.errors import ConfigurationError, ProviderUnavailable
from bearerguard.observe import logger
from bearerguard.provider import Provider, RemoteKeys

if TYPE_CHECKING:
    from bearerguard._flows.effects import SharedValues
    from bearerguard._io.http import HttpClient
    from bearerguard._io.metadata import MetadataSource
    from bearerguard._io.remote_keys import RemoteKeySource
    from bearerguard._io.shared_keys import SharedKeys
    from bearerguard._io.single_flight import SingleFlight

S = TypeVar("S", bound="SingleFlight[Any]")
AnyKeySource: TypeAlias = "RemoteKeySource | StaticKeySource | KeysByKid"

_remote: weakref.WeakValueDictionary[Any, RemoteKeySource] = weakref.WeakValueDictionary()
_metadata: weakref.WeakValueDictionary[Any, MetadataSource] = weakref.WeakValueDictionary()
_clients: weakref.WeakValueDictionary[Any, HttpClient] = weakref.WeakValueDictionary()
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    # A child forked while another thread held the lock would wait for that thread for ever.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class KeySources:
    """The key sources of one server's providers, by name. Safe to share by threads and event loops.

    Args:
        clock: seconds since 1970.
        defers: whether what fetches is loaded with the first refresh, as `restore` will bring keys.
        shares: whether others with the same address and options use the same sources.
        values: what the processes of a fleet tell each other; None where there is only this one.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        defers: bool = False,
        shares: bool = True,
        values: SharedValues | None = None,
    ) -> None:
        self.own = None if shares else object()  # part of the identity of what is shared
        self.values = values
        self._clock = clock
        self._defers = defers
        # Replaced as a whole by `add`, never changed: walking it needs no lock.
        self._sources: Mapping[str, AnyKeySource] = {}
        self._metadata: Mapping[str, MetadataSource] = {}
        self._asked: tuple[MetadataSource, ...] = ()
        self.is_closed = False
        self._adding = threading.Lock()
        # What tells an observer of a question that is over; None without an observer.
        self.tell: Callable[[SingleFlight[Any], float, str | None], None] | None = None

    def add(self, provider: Provider, *, name: str | None = None) -> AnyKeySource:
        """Return the source of a provider's keys, and keep it under the provider's name, or another.

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
            elif provider.remote_keys is not None and provider.remote_keys.kid_pattern is not None:
                source = self._one_by_one(provider, provider.remote_keys)
            else:
                source, metadata = _shared(provider, self._clock, self, defers=self._defers)
                if metadata is not None:
                    self._metadata = {**self._metadata, name or provider.name: metadata}
            self._sources = {**self._sources, name or provider.name: source}
        return source

    def remove(self, name: str) -> None:
        """Let go of a provider: what only it needed is ended, and nothing holds that was verified by it."""
        with self._adding:
            source = self._sources.get(name)
            metadata = self._metadata.get(name)
            self._sources = {other: one for other, one in self._sources.items() if other != name}
            self._metadata = {other: one for other, one in self._metadata.items() if other != name}
        held: list[Any] = [] if source is None else [source]
        if isinstance(source, KeysByKid):
            held = source.all()
        fetched = [one for one in held if not isinstance(one, StaticKeySource)]
        self._end(fetched if metadata is None else [*fetched, metadata])
        for one in held:
            if one not in fetched or one.is_closed:
                one.key_set = None

    def prepare(self, remote: RemoteKeys) -> None:
        """Load what fetches, for providers that are added while requests are served."""
        for module in ("metadata", "remote_keys"):
            import_module(f"bearerguard._io.{module}")  # so that no request loads it
        self._prepared = _client("of ResourceServer.trusting", remote, defers=False)

    def _one_by_one(self, provider: Provider, remote: RemoteKeys) -> KeysByKid:
        """The sources of a provider whose keys have an address each; other servers have their own."""
        from bearerguard._io.remote_keys import RemoteKeySource  # noqa: PLC0415 - as in `_shared`

        client, clock = _client(provider.name, remote, defers=self._defers), self._clock
        url, pins, use = remote.url or "", remote.pinned_thumbprints, provider.key_use

        def begin(kid: str) -> RemoteKeySource:
            origin = Published(url.replace("{kid}", kid), pins, use, kid)
            shared = _of_fleet(self.values, origin, clock)
            source = RemoteKeySource(
                origin, client=client, clock=clock, lifetime=remote.lifetime, shared=shared
            )
            source.users.add(self)
            return source

        return KeysByKid(begin, clock)

    def __getitem__(self, name: str) -> AnyKeySource:
        """The source of the provider of this name."""
        return self._sources[name]

    def name_of(self, source: SingleFlight[Any]) -> str | None:
        """Return the name of the provider whose keys or metadata come from a source; the first of several."""
        for name, one in (*self._sources.items(), *self._metadata.items()):
            if one is source or (isinstance(one, KeysByKid) and source in one.all()):
                return name
        return None

    def metadata_of(self, name: str) -> MetadataSource | None:
        """The metadata of a provider's issuer; None where it is not to be asked for any."""
        self._check_open()
        return self._metadata.get(name)

    def metadata_to_ask(self, provider: Provider) -> MetadataSource | None:
        """Return the metadata that say where a provider is asked about tokens, None where that is known.

        They are fetched as the keys are, where it is said how; else as tokens are asked about.

        Raises:
            ConfigurationError: the `http_options` cannot be used.
        """
        introspection, remote = provider.introspection, provider.remote_keys
        if introspection is None or introspection.url is not None:
            return None
        options = introspection.http_options
        if remote is not None and remote.http_options:
            options = remote.http_options
        allow_http = remote is not None and remote.dangerously_allow_http
        at = None if remote is None else remote.metadata_url
        issuer, clock = provider.issuer, self._clock
        client = http_client(provider.name, options, defers=self._defers)
        with self._adding, _lock:
            source = _metadata_source(issuer, options, client, clock, allow_http=allow_http, at=at)
            if source is not None:
                source.users.add(self)
                self._asked = (*self._asked, source)
                self._metadata = {provider.name: source, **self._metadata}
        return source

    # -- warm-up -------------------------------------------------------------------------------------

    def missing(self) -> list[tuple[str, RemoteKeySource]]:
        """The sources without keys that can be used, with the names of their providers."""
        self._check_open()
        now = self._clock()
        return [(name, source) for name, source in self._fetched() if not source.is_usable(now)]

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

    def are_usable(self) -> bool:
        """Whether every provider has keys that may be used; have those that are due fetched meanwhile."""
        now = self._clock()
        sources = [source for _, source in self._fetched()]
        for source in sources:
            source.refresh_ahead(now)
        return all(source.is_usable(now) for source in sources)

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
            if not isinstance(source, StaticKeySource | KeysByKid)
        ]

    # -- the end -------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the fetches that only these providers need. May be called more than once."""
        with self._adding:
            self.is_closed = True
        used: list[SingleFlight[Any]] = [source for _, source in self._fetched()]
        used += [*self._metadata.values(), *self._asked]
        for source in self._sources.values():
            used += source.all() if isinstance(source, KeysByKid) else ()
        self._end(used)

    def _end(self, used: list[SingleFlight[Any]]) -> None:
        """End those that nobody else uses."""
        with _lock:
            for one in used:
                one.users.discard(self)
            ended = [one for one in used if not one.users]
            for one in ended:
                one.is_closed = True  # from here on nobody is given it
        for one in ended:
            one.close()

    def _check_open(self) -> None:
        if self.is_closed:
            raise closed()


def closed() -> ConfigurationError:
    """The error for using a server after its end."""
    return ConfigurationError(
        "This ResourceServer is closed: close it after the last request, or build another."
    )


def origin_of(issuer: str | None, remote: RemoteKeys, use: str = "sig") -> Origin:
    """Return where a provider's keys are fetched from."""
    pins = remote.pinned_thumbprints
    if remote.function is not None:
        return Called(remote.function, pins, use)
    if remote.url is not None:
        return Published(remote.url, pins, use)
    return Discovered(issuer or "", pins, remote.dangerously_allow_http, use, remote.metadata_url)


def _shared(
    provider: Provider, clock: Callable[[], float], user: KeySources, *, defers: bool
) -> tuple[RemoteKeySource, MetadataSource | None]:
    """The sources of a provider's keys and metadata, shared where another provider has the very same."""
    # Threads, TLS, the HTTP client: loaded only by those who fetch.
    from bearerguard._io.remote_keys import RemoteKeySource  # noqa: PLC0415

    remote = provider.remote_keys
    assert remote is not None  # noqa: S101 - keys are given, or fetched
    origin = origin_of(provider.issuer, remote, provider.key_use)
    shared = [type(origin), *_parts(origin), remote.http_options, remote.lifetime, clock]
    identity = _identity([*shared, user.own, user.values])
    with _lock:
        source = _open(_remote.get(identity))
        client = _client(provider.name, remote, defers=defers) if source is None else source.client
        metadata = None
        if client is not None:
            options, at = remote.http_options, remote.metadata_url
            allow_http = remote.dangerously_allow_http
            metadata = _metadata_source(provider.issuer, options, client, clock, allow_http=allow_http, at=at)
        if source is None:
            source = _remote[identity] = RemoteKeySource(
                origin,
                client=client,
                clock=clock,
                lifetime=remote.lifetime,
                metadata=metadata if isinstance(origin, Discovered) else None,
                shared=_of_fleet(user.values, origin, clock),
            )
        source.users.add(user)
        if metadata is not None:
            metadata.users.add(user)
    return source, metadata


def _of_fleet(values: SharedValues | None, origin: Origin, clock: Callable[[], float]) -> SharedKeys | None:
    """What the processes of a fleet tell each other of these keys; of a function's, each has its own."""
    if values is None or isinstance(origin, Called):
        return None
    from bearerguard._io.shared_keys import SharedKeys  # noqa: PLC0415 - for those who share a store

    return SharedKeys(values, origin, clock=clock)


def _open(source: S | None) -> S | None:
    """A shared source, unless its last user has closed it."""
    return None if source is None or source.is_closed else source


def _client(name: str, remote: RemoteKeys, *, defers: bool) -> HttpClient | None:
    return None if remote.function is not None else http_client(name, remote.http_options, defers=defers)


def http_client(name: str, http_options: Mapping[str, Any], **options: Any) -> HttpClient:
    """Return the client for a provider's `http_options`; the other options are those of `HttpClient`.

    Raises:
        ConfigurationError: the `http_options` cannot be used.
    """
    from bearerguard._io.http import HttpClient  # noqa: PLC0415

    # A client holds the certificates that it trusts: half a megabyte, which a thousand issuers can share.
    identity = _identity([http_options, options])
    try:
        client = _clients.get(identity)
        if client is None:
            client = _clients[identity] = HttpClient(http_options, **options)
        return client
    except ConfigurationError as problem:
        raise ConfigurationError(f"Provider {name!r}: {problem}") from None


def _metadata_source(
    issuer: str | None,
    http_options: Mapping[str, Any],
    client: HttpClient,
    clock: Callable[[], float],
    *,
    allow_http: bool,
    at: str | None,
) -> MetadataSource | None:
    """The issuer's metadata; None where the issuer is not an address to ask, and no other is given."""
    if issuer is None or (
        at is None and (has_place(issuer) or why_insecure(issuer, allow_http=allow_http) is not None)
    ):
        return None
    from bearerguard._io.metadata import MetadataSource  # noqa: PLC0415

    identity = _identity([issuer, at, http_options, clock])
    source = _open(_metadata.get(identity))
    if source is None:
        source = _metadata[identity] = MetadataSource(issuer, client=client, clock=clock, at=at)
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
