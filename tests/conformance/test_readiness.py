"""Whether the API is ready, which everybody is told and nothing else; and endpoints that take a body."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import anyio.lowlevel

from bearerguard import RemoteKeys, ResourceServer, scope
from bearerguard.answer import Answer
from bearerguard.endpoints import Endpoint, EndpointRequest
from bearerguard.testing import Issuer
from tests.doors_under_test.door import Door
from tests.doors_under_test.doors import at_every_http_guard

FORM = b"application/x-www-form-urlencoded"


@at_every_http_guard
def test_an_api_that_has_its_keys_says_that_it_is_ready_without_a_token(
    door: Door, server: ResourceServer
) -> None:
    opened = door.open(server, scope("orders:read"), readiness="/ready")
    for method in ("GET", "HEAD"):
        answer = opened.get(path="/ready", method=method)
        assert (answer.status, answer.one("content-type")) == (200, "application/json"), method
        assert answer.one("cache-control") == "no-store"
        assert answer.one("content-length") == str(len(b'{"ready": true}'))
    assert opened.get(path="/ready").body == b'{"ready": true}'
    assert opened.api.entered == []


@at_every_http_guard
def test_an_api_without_keys_says_only_that_it_is_not_ready(door: Door) -> None:
    issuer = Issuer(algorithm="ES256")
    server = ResourceServer(issuer.provider(keys=RemoteKeys(http_options={"transport": issuer.transport})))
    with issuer.outage():
        answer = door.open(server, readiness="/ready").get(path="/ready")
    assert (answer.status, answer.body) == (503, b'{"ready": false}')
    assert not answer.all("www-authenticate")
    assert not answer.all("retry-after")


@at_every_http_guard
def test_only_the_path_of_readiness_is_open(door: Door, server: ResourceServer) -> None:
    opened = door.open(server, readiness="/ready")
    statuses = [opened.get(path=path).status for path in ("/ready/", "/ready/x", "/READY")]
    assert not {200, 500} & set(statuses)
    assert opened.get(path="/ready", method="POST").status in {401, 404, 405}
    assert opened.api.entered == []


class Waits:
    """An answer for which something has to be waited for."""

    def __init__(self, said: bytes) -> None:
        self.answer = Answer(200, [("Content-Type", "text/plain"), ("Content-Length", str(len(said)))], said)

    def wait(self) -> Answer:
        return self.answer

    def __await__(self) -> Generator[Any, Any, Answer]:
        return self.suspended().__await__()

    async def suspended(self) -> Answer:
        await anyio.lowlevel.checkpoint()
        return self.answer


def echo(request: EndpointRequest) -> Waits:
    """What was sent, as it came."""
    return Waits(f"{request.method} {request.content_type} ".encode() + request.body)


@at_every_http_guard
def test_an_endpoint_may_take_a_body_and_wait_for_its_answer(door: Door, server: ResourceServer) -> None:
    opened = door.open(server, served=(Endpoint("/logout", ("POST",), echo, max_body=20),))
    for body in (b"", b"logout_token=a.b.c", b"x" * 20):
        fields = [(b"Content-Type", FORM)]
        answer = opened.get(path="/logout", method="POST", fields=fields, body=body)
        assert (answer.status, answer.body) == (200, b"POST " + FORM + b" " + body)
    assert opened.api.entered == []


@at_every_http_guard
def test_a_body_that_is_longer_than_the_endpoint_takes_is_refused(door: Door, server: ResourceServer) -> None:
    opened = door.open(server, served=(Endpoint("/logout", ("POST",), echo, max_body=20),))
    for length in (21, 100_000):
        fields = [(b"Content-Type", FORM)]
        answer = opened.get(path="/logout", method="POST", fields=fields, body=b"x" * length)
        assert (answer.status, answer.json["error"]) == (413, "invalid_request")
