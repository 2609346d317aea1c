"""Stands as `conftest.py` beside layabauth's own tests: what plugins and frameworks of their time gave them.

It knows nothing of bearerguard.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask
import flask.testing
import pytest
from pytest_httpx2 import HTTPXMock
from starlette.applications import Starlette


def route(app: Starlette, path: str, **options: Any) -> Callable[[Any], Any]:
    """The decorator that Starlette had before 1.0."""

    def decorator(endpoint: Any) -> Any:
        app.add_route(path, endpoint, **options)
        return endpoint

    return decorator


Starlette.route = route  # type: ignore[attr-defined]


@pytest.fixture
def httpx_mock(httpx2_mock: HTTPXMock) -> HTTPXMock:
    """The fixture of pytest-httpx, by its successor for httpx2."""
    return httpx2_mock


@pytest.fixture
def client(app: flask.Flask) -> flask.testing.FlaskClient:
    """As pytest-flask has it."""
    return app.test_client()


@pytest.fixture(autouse=True)
def request_context(request: pytest.FixtureRequest) -> Iterator[None]:
    """As pytest-flask has it: a test of an application takes place within a request."""
    if "app" not in request.fixturenames:
        yield
        return
    app: flask.Flask = request.getfixturevalue("app")
    with app.test_request_context():
        yield


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write down the outcome of each phase of each test, one a line."""
    with Path(os.environ["OUTCOMES"]).open("a", encoding="utf-8") as file:
        file.write(f"{report.nodeid}\t{report.outcome}\n")
