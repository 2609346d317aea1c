"""What an observer is told of a shared store: each command, by its name, with how it went."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
import trio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bearerguard import ResourceServer
from bearerguard._flows.effects import StoreFailed
from bearerguard.observe import Observer
from bearerguard.opentelemetry import Observer as TelemetryObserver
from bearerguard.stores.redis import RedisStore
from bearerguard.testing import Issuer
from tests.stores.engines import Engine, free_port


class Notes(Observer):
    def __init__(self) -> None:
        self.uses: list[Any] = []

    def store(self, operation: str, seconds: float, failure: str | None) -> None:
        assert seconds > 0
        self.uses.append((operation, failure))


def test_each_command_is_told_to_the_observer_of_each_server(redis_engine: Engine, prefix: str) -> None:
    store, one, other, issuer = RedisStore(redis_engine.url, timeout=10), Notes(), Notes(), Issuer()
    for observer in (one, other, None):
        ResourceServer(issuer.provider(keys=issuer.jwks()), store=store, observer=observer)
    put, get = (lambda client: client.set(prefix, "1", px=60_000)), (lambda client: client.get(prefix))
    assert store.commands.run(put) is True
    assert asyncio.run(store.commands.arun(get)) == b"1"
    assert trio.run(store.commands.arun, get) == b"1"
    assert one.uses == other.uses == [("set", None), ("get", None), ("get", None)]
    store.close()


def test_a_command_is_told_by_its_own_name_however_the_client_is_asked(
    redis_engine: Engine, prefix: str
) -> None:
    store, notes, issuer = RedisStore(redis_engine.url, timeout=10), Notes(), Issuer()
    ResourceServer(issuer.provider(keys=issuer.jwks()), store=store, observer=notes)
    store.commands.run(lambda client: client.execute_command("XRANGE", prefix, "-", "+"))
    assert notes.uses == [("xrange", None)]
    store.close()


def test_a_command_that_fails_is_told_with_why_and_none_that_was_not_asked(prefix: str) -> None:
    store, notes, issuer = RedisStore(f"redis://127.0.0.1:{free_port()}"), Notes(), Issuer()
    ResourceServer(issuer.provider(keys=issuer.jwks()), store=store, observer=notes)
    for _ in range(20):
        with pytest.raises(StoreFailed):
            store.commands.run(lambda client: client.get(prefix))
    assert set(notes.uses) == {("get", "connection")}
    assert len(notes.uses) < 20, "the engine is left alone meanwhile"


def test_what_the_engine_refuses_is_told(redis_engine: Engine, prefix: str) -> None:
    store, notes, issuer = RedisStore(redis_engine.url, timeout=10), Notes(), Issuer()
    ResourceServer(issuer.provider(keys=issuer.jwks()), store=store, observer=notes)
    store.commands.run(lambda client: client.set(prefix, "text", px=60_000))
    with pytest.raises(StoreFailed):
        store.commands.run(lambda client: client.incr(prefix))
    assert notes.uses == [("set", None), ("incr", "refused")]
    store.close()


@pytest.mark.parametrize("colour", ["sync", "asyncio", "trio"])
def test_a_command_is_a_span_below_the_request_that_asks(
    redis_engine: Engine, prefix: str, colour: str
) -> None:
    store, issuer, exporter, tracers = (
        RedisStore(redis_engine.url, timeout=10),
        Issuer(),
        InMemorySpanExporter(),
        TracerProvider(),
    )
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    observer = TelemetryObserver(tracer_provider=tracers)
    ResourceServer(issuer.provider(keys=issuer.jwks()), store=store, observer=observer)

    def get(client: Any) -> Any:
        return client.get(prefix)

    async def task() -> None:
        with tracers.get_tracer("test").start_as_current_span("request"):
            await store.commands.arun(get)

    if colour == "sync":
        with tracers.get_tracer("test").start_as_current_span("request"):
            store.commands.run(get)
    else:
        anyio.run(task, backend=colour)
    command, request = exporter.get_finished_spans()
    assert (command.name, command.parent) == ("store get", request.context)
    store.close()
