"""A `ResourceServer` from nothing but the address of a key set, for the doors that are built that way.

Such a door warns each time of what it does not check, since it was told no issuer or no audience.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from bearerguard.provider import ANY_JWT, Provider
from bearerguard.provider.keys import keys_with
from bearerguard.server import ResourceServer

_servers: weakref.WeakValueDictionary[Any, ResourceServer] = weakref.WeakValueDictionary()
"""Views are decorated one by one, most of them alike: those share a server, and what it remembers."""


def server_by_jwks_uri(
    jwks_uri: str,
    *,
    issuer: str | None,
    audience: str | Iterable[str] | None,
    algorithms: Collection[str],
    leeway: float,
    clock: Callable[[], float],
    http_options: Mapping[str, Any],
) -> ResourceServer:
    """Return what verifies tokens by the keys at `jwks_uri`. Only a door's own entry may call this.

    Raises:
        ConfigurationError: for anything missing, contradictory or unsafe.

    Warns:
        SecurityWarning: no issuer, or no audience; at the line that called the door.
    """
    name = issuer or str(jwks_uri)
    provider = Provider(
        issuer,
        audience=audience,
        keys=keys_with(jwks_uri, name, http_options=http_options),
        algorithms=algorithms,
        leeway=leeway,
        profile=ANY_JWT,
        name=name,
        dangerously_accept_any_issuer=issuer is None,
        dangerously_accept_any_audience=audience is None,
    )
    if http_options:  # objects of the program's own may be among them
        return ResourceServer(provider, clock=clock)
    settings = (
        jwks_uri,
        provider.issuer,
        provider.audiences,
        provider.algorithms,
        provider.leeway,
        clock,
    )
    server = _servers.get(settings)
    if server is None:
        # Two threads may both make one; either will do.
        server = _servers[settings] = ResourceServer(provider, clock=clock)
    return server
