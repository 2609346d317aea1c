"""What is in force for every test: no deadline, and a call that blocks an event loop fails who makes it.

The latter is switched on once for all tests, which costs nothing where no event loop runs.
"""

from __future__ import annotations

from collections.abc import Iterator

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
