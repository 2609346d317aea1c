"""What is in force for every test: no deadline, no refresh that outlives it, no blocked event loop.

A call that blocks one fails the test that makes it. That is switched on once for all tests, which costs
nothing where no event loop runs.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator, Iterator
from typing import Any
from weakref import WeakSet

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

from bearerguard._io.remote_keys import RemoteKeySource
from bearerguard.context import Serving, current
from tests.end_of_run import watch
from tests.left_out import FILES, LEFT_OUT

collect_ignore = [file for why in LEFT_OUT for file in FILES[why]]


def pytest_report_header() -> list[str]:
    """Say what this run leaves out, where it does."""
    return [f"left out ({why}): {', '.join(FILES[why])}" for why in sorted(LEFT_OUT)]


# No property holds or fails by the speed of the machine.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# A request waits a second for a new key, which is short on a busy machine. Tests of that say for how long.
(RemoteKeySource.__init__.__kwdefaults__ or {})["patience"] = 60.0

# Read by whatever imports Django first, if anything does.
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.django_settings"
os.environ["NINJA_SKIP_REGISTRY"] = "1"  # before 1.6, Ninja takes the APIs of two tests for a mistake

# Their assertions are the tests' own. Said here, because the tests of several folders import them.
pytest.register_assert_rewrite("tests.doors_under_test", "tests.hostile")


@pytest.fixture(scope="session", autouse=True)
def blocking_calls_fail_on_an_event_loop() -> Iterator[BlockBuster]:
    """A blocking call where asyncio runs raises `BlockingError`; anywhere else it is left alone."""
    with blockbuster_ctx() as blockbuster:
        yield blockbuster


@pytest.fixture(autouse=True)
def nobody_is_served_after_a_test() -> Iterator[None]:
    """No test leaves a request behind that still has its token, not even beneath another one.

    A later test would find it: once what hides it is collected, at a time that nobody chooses.
    """
    yield
    place: Any = current.get()
    while place is not None:
        request = place if isinstance(place, Serving) else place.found()
        assert request is None or request.is_over or request.token is None, request
        place = place.outer


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


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Name the rows of a table alike in every run of one program, as mutmut asks for them by name.

    pytest keeps the names on the mark, and would escape a backslash in them once more in each run.
    """
    if "mutmut" not in sys.modules:
        return
    for mark in metafunc.definition.iter_markers("parametrize"):
        if mark._param_ids_from is not None:
            object.__setattr__(mark._param_ids_from, "_param_ids_generated", None)


def pytest_sessionfinish(exitstatus: int) -> None:
    """Have the run end, whatever thread it would wait for."""
    if "mutmut" not in sys.modules:  # its program runs tests many times, and goes on after each
        watch(exitstatus)
