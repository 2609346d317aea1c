"""The door for Litestar: rules as its guards, installed as a plugin."""

from __future__ import annotations

from bearerguard._extra import extra

with extra("litestar"):
    from bearerguard.litestar.guard import Guard
    from bearerguard.litestar.refusal import RefusedOpening, RefusedRequest

__all__ = ["Guard", "RefusedOpening", "RefusedRequest"]
