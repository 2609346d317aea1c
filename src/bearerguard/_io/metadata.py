"""An issuer's metadata, for those who document an API; verifying a token never waits for it."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import anyio.to_thread

from bearerguard._core.address import why_insecure
from bearerguard._flows.key_fetch import discover
from bearerguard._io.drive import run_fetch
from bearerguard._io.http import HttpClient, Session
from bearerguard._limits import FETCH_TIMEOUT
from bearerguard.provider import Provider, RemoteKeys

_logger = logging.getLogger("bearerguard")


async def fetch_metadata(provider: Provider, *, seconds: float = FETCH_TIMEOUT) -> dict[str, Any] | None:
    """Return the metadata of a provider's issuer, or None where it cannot be had, or must not be asked for.

    A provider whose keys were given, as an object or by a function, is never asked anything.

    Args:
        provider: whose issuer to ask.
        seconds: after which the answer is waited for no longer, whatever the `http_options` say.
    """
    issuer, remote = provider.issuer, provider.remote_keys
    if remote is None or remote.function is not None or issuer is None:
        return None
    if why_insecure(issuer, allow_http=remote.dangerously_allow_http):
        return None
    sessions: list[Session] = []
    with anyio.move_on_after(seconds):
        return await anyio.to_thread.run_sync(_fetch, provider, remote, sessions, abandon_on_cancel=True)
    _logger.warning("metadata of provider %r did not come in %g seconds", provider.name, seconds)
    for session in sessions:
        session.abort()
    return None


def _fetch(provider: Provider, remote: RemoteKeys, sessions: list[Session]) -> dict[str, Any] | None:
    session = HttpClient(remote.http_options).session()
    sessions.append(session)
    try:
        return run_fetch(discover(provider.issuer or ""), session)
    except Exception as failure:  # noqa: BLE001 - a transport of the user's own may raise anything
        _logger.warning("metadata of provider %r could not be fetched: %s", provider.name, failure)
        return None
    finally:
        session.abort()
