"""An issuer whose tokens are valid and whose server is not: the test kit's keys behind a `FaultServer`.

It stands still in time but for `clock.advance`, and publishes nothing by itself.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import anyio

from bearerguard import AccessToken, Provider, RemoteKeys, ResourceServer
from bearerguard._io.remote_keys import RemoteKeySource
from bearerguard.testing import Clock, Issuer
from tests.faults.fault_server import Answer, FaultServer, Headers, respond

METADATA = "/.well-known/openid-configuration"
OAUTH_METADATA = "/.well-known/oauth-authorization-server"
JWKS = "/jwks"
FETCHING = ("lifetime", "pinned_thumbprints", "http_options")
LONG = 60.0
"""Seconds after which something that should have ended long ago is called hanging."""
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Loading the usual ones takes 30 ms a server, and nothing here speaks TLS."""

R = TypeVar("R")


class ScriptedProvider:
    """Keys and tokens of an issuer, and the server that publishes them as told."""

    def __init__(self, faults: FaultServer, *, start: float = 1_800_000_000) -> None:
        self.faults = faults
        self.clock = Clock(start)
        self.issuer = Issuer(faults.url(), algorithm="Ed25519", clock=self.clock)

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata document as it should be."""
        return {"issuer": self.issuer.url, "jwks_uri": self.faults.url(JWKS)}

    def document(self, path: str) -> dict[str, Any]:
        """What `path` should answer."""
        return self.metadata if path == METADATA else self.issuer.jwks()

    @property
    def fetches(self) -> int:
        """How often the key set was asked for."""
        return self.faults.count(JWKS)

    def publish(self, *, headers: Headers = ()) -> None:
        """Serve both documents as they should be, with the keys of now."""
        self.faults.script(METADATA, respond(self.metadata))
        self.faults.script(JWKS, respond(self.issuer.jwks(), headers=headers))

    def answer(self, *answers: Answer) -> None:
        """Serve the key set with these answers from now on."""
        self.faults.script(JWKS, *answers)

    def provider(self, *, discovered: bool = False, timeout: float = LONG, **overrides: Any) -> Provider:
        """A `Provider` with its keys by URL, or discovered; options of `RemoteKeys` may stand here too."""
        keys = overrides.pop("keys", None if discovered else self.faults.url(JWKS))
        fetching = {name: overrides.pop(name) for name in FETCHING if name in overrides}
        if keys is None or isinstance(keys, str):
            options = {"timeout": timeout, "verify": NO_CERTIFICATES}
            keys = RemoteKeys(keys, **{"http_options": options, **fetching})
        return self.issuer.provider(keys=keys, **overrides)

    def server(self, *, imported: dict[str, Any] | None = None, **overrides: Any) -> ResourceServer:
        """A `ResourceServer` that trusts only this provider; arguments as for `provider`."""
        return ResourceServer(self.provider(**overrides), clock=self.clock, snapshot=imported)

    def token(self, **arguments: Any) -> str:
        """A token that is good for long enough to outlive its keys."""
        return self.issuer.token(**{"expires_in": 10_000_000, **arguments})


@contextmanager
def scripted_provider() -> Iterator[ScriptedProvider]:
    """A `ScriptedProvider` that is up, for the length of a `with` block."""
    with FaultServer() as faults:
        provider = ScriptedProvider(faults)
        provider.publish()
        yield provider


def health(server: ResourceServer, name: str | None = None) -> dict[str, Any]:
    """The health of one provider, which must be ready for JSON.

    It is told as it is before the end of a refresh or after it, and never amid that end: a test that has seen
    new keys goes on at once, and must not find a refresh under way whose keys they are.
    """
    name = name or server.providers[0].name
    source = server._keys[name]
    with source._lock if isinstance(source, RemoteKeySource) else nullcontext():
        chosen: dict[str, Any] = json.loads(json.dumps(server.health()))["providers"][name]
    return chosen


def verify(server: ResourceServer, token: str, colour: str = "sync") -> AccessToken:
    """Verify as a thread (`sync`), or as a task of `asyncio` or `trio`."""
    if colour == "sync":
        return in_time(lambda: server.verify(token))
    return in_time(lambda: anyio.run(server.averify, token, backend=colour))


def in_time(call: Callable[[], R]) -> R:
    """What `call` returns or raises; `AssertionError` if it does neither within a minute."""
    outcome: list[R] = []
    problem: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # noqa: BLE001 - handed on to the test, whatever it is
            problem.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LONG)
    assert not thread.is_alive(), "it hangs"
    if problem:
        raise problem[0]
    return outcome[0]


def until(condition: Callable[[], bool], what: str = "what was waited for") -> None:
    """Wait until `condition` holds; `AssertionError` if it does not within a minute."""
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.002)


async def auntil(condition: Callable[[], bool], what: str = "what was waited for") -> None:
    """The same for a task of any loop."""
    with anyio.move_on_after(LONG):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in a thread
            await anyio.sleep(0.002)
    assert condition(), f"{what} did not happen"
