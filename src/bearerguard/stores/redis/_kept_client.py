"""A client of one thread at a time, with a connection to itself.

redis-py takes a connection from its pool for each command, looks whether it is still there, and tells of the
command: that takes as long as the command itself, so for one that every request waits for we do less. This
never connects, and says nothing of what a failure means.
"""

from __future__ import annotations

import contextlib
import select
from typing import Any

from bearerguard._extra import extra

with extra("redis"):
    import redis


class KeptClient(redis.Redis):
    """A client that keeps a connection out of a pool.

    Args:
        pool: has a connection that was used a moment ago.

    Raises:
        redis.RedisError: it has none, after all, and cannot open one.
    """

    connection: Any

    def __init__(self, pool: Any) -> None:
        super().__init__(connection_pool=pool, single_connection_client=True)
        self._poll: Any = None
        # `can_read` takes ten times what a look at the socket takes, which redis-py does not show.
        sock = getattr(self.connection, "_sock", None)
        if sock is not None and hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(sock, select.POLLIN)

    def is_quiet(self) -> bool:
        """Whether the engine has neither closed the connection nor sent what nobody asked for."""
        if self._poll is not None:
            return not self._poll.poll(0)
        try:
            return not self.connection.can_read(0)
        except (redis.RedisError, OSError):
            return False

    def end(self) -> None:
        """Close the connection. What is asked over it later opens another one."""
        with contextlib.suppress(redis.RedisError, OSError):
            self.connection.disconnect()
        self.close()


def directly(client: Any, *command: Any, **options: Any) -> Any:
    """Have a client run a command with as little around it as it can do.

    Args:
        client: any.
        *command: its name and arguments.
        **options: how the client is to read the reply, which is a text, a number or None.
    """
    if type(client) is not KeptClient:
        return client.execute_command(*command, **options)
    connection = client.connection
    connection.send_command(*command)
    return connection.read_response()
