"""The door for Django Ninja: `auth=` of operations, routers and whole APIs.

The settings and the middleware of `bearerguard.django` work here too.
"""

from __future__ import annotations

from bearerguard._extra import extra

with extra("ninja"):
    from bearerguard.ninja.auth import Nobody
    from bearerguard.ninja.guard import Guard
    from bearerguard.ninja.refusal import RefusedRequest

__all__ = ["Guard", "Nobody", "RefusedRequest"]
