"""bearerguard as one of many processes: with a store on the same machine, and revocations that it follows."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import time
from itertools import count
from socket import create_server
from tempfile import mkdtemp

import redis

from bearerguard import DPoP, ResourceServer, Revocation
from bearerguard.stores.redis import RedisStore
from bearerguard.testing import Issuer
from bench.cases import Case, Cases, loop
from bench.material import Material
from bench.verifiers.ours_dpop import YEAR, Client, Hand, asked

SECRET = "a secret of the benchmark, 32 bytes or more"
_numbers = count()


def engine() -> str:
    """Start a Redis that keeps nothing on disk; return its address."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is not installed, and the part `store` measures with one.")
    with create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    options = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", mkdtemp()]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    atexit.register(process.kill)
    with redis.Redis(port=int(port)) as client:
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                return f"redis://127.0.0.1:{port}/0"


def cases(material: Material, url: str) -> Cases:
    """A token seen before, and a new proof, each with a store and without; and the bare command."""
    del material, url  # as in `ours_dpop`
    where = engine()
    issuer = Issuer(algorithm="ES256")
    hand = Hand(issuer)
    keys, clock = issuer.jwks(), hand.clock
    token = issuer.token(expires_in=YEAR)
    alone = issuer.resource_server(keys=keys, clock=clock)
    proving = issuer.resource_server(keys=keys, clock=clock, dpop=DPoP())
    following, sharing = (
        ResourceServer(
            issuer.provider(keys=keys),
            clock=clock,
            dpop=dpop,
            revocation=revocation,
            store=RedisStore(where, secret=SECRET),
        )
        for dpop, revocation in ((None, Revocation(horizon=YEAR)), (DPoP(), None))
    )
    client, command = Client(issuer, hand), redis.Redis.from_url(where)

    def bearing(server: ResourceServer) -> Case:
        run = loop(server.authenticate)
        run([asked(f"Bearer {token}")] * 3)
        return Case(run, lambda length: [asked(f"Bearer {token}") for _ in range(length)])

    def noted(name: str) -> None:
        command.set(name, b"", nx=True, px=75_000)

    prove, share = loop(proving.authenticate), loop(sharing.authenticate)
    prove(client.requests(2))
    share(client.requests(2))
    waits = time.perf_counter_ns
    return {
        "Bearer": bearing(alone),
        "Bearer, revocations": bearing(following),
        "DPoP": Case(prove, client.requests, waits),
        "DPoP, store": Case(share, client.requests, waits),
        "SET NX PX": Case(
            loop(noted), lambda length: [f"bench:{next(_numbers):064d}" for _ in range(length)], waits
        ),
    }
