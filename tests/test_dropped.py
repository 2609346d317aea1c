"""`guard.protect(app)` as a statement protects nothing, and says so."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import bearerguard.asgi
import bearerguard.fastapi
import bearerguard.starlette
import bearerguard.wsgi
from bearerguard import ResourceServer, SecurityWarning
from bearerguard.testing import Issuer

at_every_guard = pytest.mark.parametrize(
    "guard",
    [bearerguard.asgi.Guard, bearerguard.fastapi.Guard, bearerguard.starlette.Guard, bearerguard.wsgi.Guard],
    ids=["asgi", "fastapi", "starlette", "wsgi"],
)


@pytest.fixture
def server() -> ResourceServer:
    return ResourceServer(Issuer().provider())


app: Any = print
"""An application that is not asked."""


@at_every_guard
def test_a_protected_application_that_nobody_keeps_is_warned_of_at_its_line(
    guard: Any, server: ResourceServer
) -> None:
    with pytest.warns(SecurityWarning, match="write app = guard.protect") as warned:
        guard(server).protect(app)
    assert [warning.filename for warning in warned] == [__file__]


@at_every_guard
def test_one_that_is_kept_may_be_dropped_later(guard: Any, server: ResourceServer) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        kept = guard(server).protect(app)
        del kept
        held = [guard(server).protect(app)]
        held.clear()
    assert warned == []


def test_one_that_has_served_may_be_dropped_at_once(server: ResourceServer) -> None:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/"}
    statuses: list[str] = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        bearerguard.wsgi.Guard(server).protect(app)(environ, lambda status, _: statuses.append(status))
    assert statuses == ["401 Unauthorized"]
    assert warned == []
