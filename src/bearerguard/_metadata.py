"""What gives a server the metadata of its providers' issuers, for documents and for logins of a page.

It fetches nothing by itself, and what it returns decides about no token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bearerguard._limits import FETCH_TIMEOUT

if TYPE_CHECKING:
    from bearerguard._io.key_sources import KeySources

__all__: list[str] = []


class KnowsMetadata:
    """The half of a server that knows what issuers say of themselves."""

    _keys: KeySources

    def known_metadata(self, provider: str) -> Mapping[str, Any] | None:
        """Return the metadata of a provider's issuer (RFC 8414), as far as they are in memory. Never waits.

        Args:
            provider: the name of the provider.
        """
        source = self._keys.metadata_of(provider)
        return None if source is None else source.known

    def metadata(self, provider: str, *, seconds: float = FETCH_TIMEOUT) -> Mapping[str, Any] | None:
        """Return the metadata of a provider's issuer (RFC 8414), None where they cannot be had.

        They are fetched once and kept. An issuer is not asked where the provider's keys were given as an
        object or by a function, nor for half a minute after it has failed.

        Args:
            provider: the name of the provider.
            seconds: after which nobody waits any longer; the issuer may go on answering.
        """
        source = self._keys.metadata_of(provider)
        return None if source is None else source.wait(seconds)

    async def ametadata(self, provider: str, *, seconds: float = FETCH_TIMEOUT) -> Mapping[str, Any] | None:
        """The same as `metadata`, for a task."""
        source = self._keys.metadata_of(provider)
        return None if source is None else await source.wait_async(seconds)
