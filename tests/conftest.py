"""What is in force for every test: a call that blocks an event loop fails the test that makes it.

It is switched on once for all tests, which costs nothing where no event loop runs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

# Their assertions are the tests' own. Said here, because the tests of several folders import them.
pytest.register_assert_rewrite("tests.doors_under_test", "tests.hostile")


@pytest.fixture(scope="session", autouse=True)
def blocking_calls_fail_on_an_event_loop() -> Iterator[BlockBuster]:
    """A blocking call where asyncio runs raises `BlockingError`; anywhere else it is left alone."""
    with blockbuster_ctx() as blockbuster:
        yield blockbuster
