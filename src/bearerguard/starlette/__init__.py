"""The doors for Starlette and everything built on it.

`Guard` protects routes, or a whole application, by rules: it is what new code uses. `AuthenticateMiddleware`
keeps the contract of starlette-oauth2-api, `OAuth2IdTokenBackend` and `on_error` keep that of layabauth.
"""

from __future__ import annotations

from bearerguard._extra import extra

with extra("starlette"):
    from bearerguard.starlette.backend import OAuth2IdTokenBackend, on_error
    from bearerguard.starlette.guard import Guard
    from bearerguard.starlette.middleware import AuthenticateMiddleware

__all__ = ["AuthenticateMiddleware", "Guard", "OAuth2IdTokenBackend", "on_error"]
