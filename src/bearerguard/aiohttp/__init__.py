"""The door for aiohttp's server: rules as decorators of handlers, and as a middleware."""

from __future__ import annotations

from bearerguard._extra import extra

with extra("aiohttp"):
    from bearerguard.aiohttp.guard import Guard
    from bearerguard.aiohttp.request import AiohttpRequest

__all__ = ["AiohttpRequest", "Guard"]
