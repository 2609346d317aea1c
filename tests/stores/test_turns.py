"""Another process leads, publishes and lets go in just the moment in which this one asks to lead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from bearerguard import Provider, ResourceServer
from bearerguard.stores.redis import RedisStore
from bearerguard.stores.redis._values import RedisValues
from bearerguard.testing import Clock, Issuer
from tests.stores.conftest import SECRET
from tests.stores.engines import Engine

Join = Callable[..., ResourceServer]


class Preceded(RedisValues):
    """Values of a process that another one gets ahead of when it asks to lead for the first time."""

    def __init__(self, store: RedisStore, another: Callable[[], object]) -> None:
        super().__init__(store.commands, store.prefix, SECRET)
        self._others = iter([another])

    def lead(self, name: str, seconds: float) -> str | None:
        for another in self._others:
            another()
        return super().lead(name, seconds)


@pytest.fixture
def join(redis_engine: Engine, prefix: str) -> Iterator[Join]:
    """Returns the server of one more process of the fleet."""
    with ExitStack() as ending:

        def one_more(
            provider: Provider, *, preceded_by: Callable[[], object] | None = None
        ) -> ResourceServer:
            store = RedisStore(redis_engine.url, prefix=prefix, secret=SECRET, timeout=10)
            ending.callback(store.close)
            if preceded_by is not None:
                store.values = Preceded(store, preceded_by)
            # A clock of its own each, as servers of one process share their keys otherwise.
            server = ResourceServer(provider, store=store, clock=Clock(1_700_000_000))
            ending.callback(server.close)
            return server

        yield one_more


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(clock=Clock(1_700_000_000))


def test_it_takes_over_the_keys_and_does_not_fetch(issuer: Issuer, join: Join) -> None:
    token, provider = issuer.token("ada"), issuer.provider()
    quick = join(provider)
    slow = join(provider, preceded_by=lambda: quick.verify(token))
    assert slow.verify(token).subject == "ada"
    assert issuer.count("/jwks") == 1
    assert quick.verify(token).subject == "ada"


def test_it_believes_the_answer_and_does_not_ask(issuer: Issuer, join: Join) -> None:
    token = issuer.opaque_token("ada")
    provider = issuer.provider(introspection=issuer.introspection(), keys=issuer.jwks())
    quick = join(provider)
    slow = join(provider, preceded_by=lambda: quick.verify(token))
    assert slow.verify(token).subject == "ada"
    assert issuer.count("/introspect") == 1
