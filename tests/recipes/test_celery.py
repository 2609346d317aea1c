"""Celery's recipe, with a worker that takes tasks from a broker and a backend for outcomes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from celery.signals import setup_logging, task_retry
from kombu.exceptions import EncodeError

from bearerguard import InsufficientScope, InvalidToken
from bearerguard.testing import Issuer
from tests.recipes.page import recipe

ENOUGH = 30.0
"""Seconds after which an outcome is called missing."""


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer("https://celery.test")


@pytest.fixture(scope="module")
def export(issuer: Issuer) -> Iterator[Any]:
    """One worker for all tests: Celery shares what is called a task among all applications of a process."""
    setup_logging.connect(lambda **_: None, weak=False)  # or the worker would take the logs of all tests
    server = issuer.resource_server()
    tasks = recipe("Celery")["create_tasks"](server, broker="memory://", backend="cache+memory://")
    with start_worker(tasks, perform_ping_check=False, pool="solo"):
        yield tasks.tasks["export"]


def test_an_outage_is_tried_again(export: Any, issuer: Issuer) -> None:
    was_tried = threading.Event()
    task_retry.connect(lambda **_: was_tried.set(), weak=False)
    with issuer.outage():
        waiting = export.delay(issuer.token("ada", "orders:read"))
        assert was_tried.wait(ENOUGH)
    issuer.clock.advance(60)
    assert waiting.get(ENOUGH) == "the orders of ada"


def test_a_task_knows_for_whom_it_works(export: Any, issuer: Issuer) -> None:
    assert export.delay(issuer.token("ada", "orders:read")).get(ENOUGH) == "the orders of ada"


def test_a_refusal_comes_back_as_it_was_raised(export: Any, issuer: Issuer) -> None:
    with pytest.raises(InsufficientScope) as refused:
        export.delay(issuer.token("ada")).get(ENOUGH)
    assert refused.value.reason == "scope"


def test_a_token_as_an_object_does_not_leave_the_process(export: Any, issuer: Issuer) -> None:
    token = issuer.resource_server().verify(issuer.token("ada", "orders:read"))
    with pytest.raises(EncodeError, match="AccessToken"):
        export.delay(token)


def test_a_task_that_runs_after_its_token_has_ended_is_refused(export: Any, issuer: Issuer) -> None:
    token = issuer.token("ada", "orders:read")
    issuer.clock.advance(4000)
    with pytest.raises(InvalidToken) as refused:
        export.delay(token).get(ENOUGH)
    assert refused.value.reason == "expired"
