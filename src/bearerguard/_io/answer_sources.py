"""What asks a server's providers about tokens: one source for each that has introspection, by its name.

Servers of one process share nothing of it: what one believes of a token, another may have been told to ask
for itself. The processes of a fleet do, where they have a store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from bearerguard._flows.effects import KeySource
from bearerguard._io.key_sources import KeySources, http_client
from bearerguard._limits import INTROSPECTION_TIMEOUT, MAX_ANSWER_BYTES
from bearerguard.observe import logger
from bearerguard.provider import Provider

if TYPE_CHECKING:
    from bearerguard._io.introspection_source import IntrospectionSource
    from bearerguard.provider import Introspection


class AnswerSources:
    """The sources of one server.

    Args:
        trusted: its providers, each with where its keys are.
        keys: which finds their metadata.
        clock: seconds since 1970.

    Raises:
        ConfigurationError: the `http_options` of an introspection cannot be used.
    """

    def __init__(
        self, trusted: Iterable[tuple[Provider, KeySource]], keys: KeySources, clock: Callable[[], float]
    ) -> None:
        self.by_name: Mapping[str, IntrospectionSource] = {
            provider.name: _source(provider, provider.introspection, source, keys, clock)
            for provider, source in trusted
            if provider.introspection is not None
        }
        _warn_of_guests({one.name: one.introspection for one, _ in trusted if one.introspection is not None})

    def tell(self, tell: Callable[[str, float, str | None], None]) -> None:
        """Have each question told when it is over: the provider's name, the seconds, why it failed."""
        for name, source in self.by_name.items():
            source.tell = partial(tell, name)

    def close(self) -> None:
        """Ask nothing any more."""
        for source in self.by_name.values():
            source.close()


def _source(
    provider: Provider,
    introspection: Introspection,
    source: KeySource,
    keys: KeySources,
    clock: Callable[[], float],
) -> IntrospectionSource:
    # Threads, TLS, the HTTP client: loaded only by those who ask.
    from bearerguard._io.introspection_source import IntrospectionSource  # noqa: PLC0415 - only servers that ask load it

    options = introspection.http_options
    client = http_client(provider.name, options, seconds=INTROSPECTION_TIMEOUT, max_bytes=MAX_ANSWER_BYTES)
    metadata = keys.metadata_to_ask(provider)
    shared = None
    if keys.values is not None and introspection.revocation_budget > 0:
        from bearerguard._io.shared_answers import SharedAnswers  # noqa: PLC0415 - for those who share a store

        shared = SharedAnswers(keys.values, provider, introspection, clock=clock)
    return IntrospectionSource(provider, source, client=client, metadata=metadata, clock=clock, shared=shared)


def _warn_of_guests(asked: Mapping[str, Introspection]) -> None:
    """Whoever is asked about a token sees it, and could use it: another provider's too, while it is alive."""
    open_to_all = [name for name, introspection in asked.items() if introspection.token_prefix is None]
    if len(asked) > 1 and open_to_all:
        logger().warning(
            "asked about every opaque token, those of other providers too: %s; give each Introspection a "
            "token_prefix, so that no provider sees what another has issued",
            ", ".join(map(repr, open_to_all)),
        )
