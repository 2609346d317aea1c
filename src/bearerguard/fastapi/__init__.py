"""The door for FastAPI: rules as dependencies, which also document themselves.

`guard.requires(rule)` stands where FastAPI wants a dependency; the token is its value, and the route shows up
in the OpenAPI document with its security scheme and scopes.
"""

from __future__ import annotations

from bearerguard._extra import extra

with extra("fastapi"):
    from bearerguard.fastapi.docs_client import DocsClient
    from bearerguard.fastapi.guard import Guard
    from bearerguard.fastapi.requirement import RefusedRequest, Requirement

__all__ = ["DocsClient", "Guard", "RefusedRequest", "Requirement"]
