"""The doors for Flask and what is built on it.

`Guard` protects views by rules: it is what new code uses. `requires_authentication`, `requires_scopes` and
`UserIdFilter` keep the contract of layabauth.
"""

from __future__ import annotations

from bearerguard._extra import extra

with extra("flask"):
    from bearerguard.flask.guard import Guard
    from bearerguard.flask.layabauth import UserIdFilter, requires_authentication, requires_scopes
    from bearerguard.flask.request import RefusedRequest

__all__ = ["Guard", "RefusedRequest", "UserIdFilter", "requires_authentication", "requires_scopes"]
