"""What is in force for every test: no deadline, no refresh that outlives it, no blocked event loop.

A call that blocks one fails the test that makes it. That is switched on once for all tests, which costs
nothing where no event loop runs.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from weakref import WeakSet

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

# No property holds or fails by the speed of the machine.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Their assertions are the tests' own. Said here, because the tests of several folders import them.
pytest.register_assert_rewrite("tests.doors_under_test", "tests.hostile")


@pytest.fixture(scope="session", autouse=True)
def blocking_calls_fail_on_an_event_loop() -> Iterator[BlockBuster]:
    """A blocking call where asyncio runs raises `BlockingError`; anywhere else it is left alone."""
    with blockbuster_ctx() as blockbuster:
        yield blockbuster


_left_hanging: WeakSet[threading.Thread] = WeakSet()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None]:
    """Wait for refreshes that the test began: what they log is told in no other test."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("bearerguard refresh") and thread not in _left_hanging:
            thread.join(10)
            if thread.is_alive():
                _left_hanging.add(thread)
