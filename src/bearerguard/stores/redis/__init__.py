"""A store that many processes share: Redis 7 or newer, or Valkey 8; single, Sentinel or Cluster.

Needs the extra `redis`.
"""

from __future__ import annotations

from bearerguard.stores.redis.store import RedisStore

__all__ = ["RedisStore"]
