"""The first request that waits for keys pays for nothing that could have been paid before it."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.faults.scripted_provider import LONG, ScriptedProvider

COLD_REQUEST = """
import asyncio, json, sys, threading
from bearerguard import Provider, ResourceServer

url, issuer, token, now = sys.argv[1:]
server = ResourceServer(Provider(issuer, audience="https://api.test", keys=url), clock=lambda: float(now))
on_the_loop = []


class Watch:
    def find_spec(self, name, path=None, target=None):
        if threading.get_ident() == loop_thread:
            on_the_loop.append(name)


async def main():
    global loop_thread
    loop_thread = threading.get_ident()
    sys.meta_path.insert(0, Watch())
    verified = await server.averify(token)
    sys.meta_path.pop(0)
    print(json.dumps([verified.subject, on_the_loop]))


asyncio.run(main())
"""


def test_nothing_is_imported_on_an_event_loop_that_waits_for_keys(provider: ScriptedProvider) -> None:
    """An import of tens of milliseconds stalls a loop too, and no detector of blocking calls sees it."""
    arguments = [provider.faults.url("/jwks"), provider.issuer.url, provider.token(), str(provider.clock())]
    done = subprocess.run(
        [sys.executable, "-c", COLD_REQUEST, *arguments],
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["user-1", []]
