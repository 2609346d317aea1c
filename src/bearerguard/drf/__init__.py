"""The door for Django REST framework: authentication and permissions of views.

`Guard` makes both. The settings and the middleware of `bearerguard.django` work here too.
"""

from __future__ import annotations

from bearerguard._extra import extra

with extra("drf"):
    from bearerguard.drf.guard import Guard
    from bearerguard.drf.refusal import RefusedRequest
    from bearerguard.drf.user import TokenUser

__all__ = ["Guard", "RefusedRequest", "TokenUser"]
