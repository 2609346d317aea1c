"""The door for gRPC servers, those of asyncio and those of threads: rules for methods and services."""

from __future__ import annotations

from bearerguard._extra import extra

with extra("grpc"):
    from bearerguard.grpc.guard import Guard

__all__ = ["Guard"]
