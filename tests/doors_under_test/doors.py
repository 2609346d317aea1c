"""Every door, once: `tests/conformance` and `tests/hostile` put all of these through everything they have.

To add one, write a small class that puts `Api` behind it, in a file for its framework beside this one, and
name it here.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.doors_under_test import (
    fastapi_doors,
    flask_doors,
    layabauth_doors,
    own_doors,
    plain_doors,
    server_doors,
    starlette_doors,
)
from tests.doors_under_test.door import Door

DOORS: tuple[Door, ...] = (
    server_doors.Authenticate(),
    server_doors.AsyncAuthenticate(),
    plain_doors.PlainASGI(),
    plain_doors.PlainWSGI(),
    plain_doors.WSGIGenerator(),
    own_doors.OwnDoor(),
    starlette_doors.AsyncFunction(),
    starlette_doors.Function(),
    starlette_doors.Class(),
    starlette_doors.GuardAsMiddleware(),
    starlette_doors.GuardAroundMount(),
    starlette_doors.Authenticate(),
    fastapi_doors.Parameter(),
    fastapi_doors.Function(),
    fastapi_doors.Router(),
    flask_doors.FunctionView(),
    flask_doors.AsyncView(),
    flask_doors.ViewClass(),
    flask_doors.ViewOfMethods(),
    flask_doors.Blueprint(),
    flask_doors.Application(),
    flask_doors.RestxResource(),
    layabauth_doors.StarletteBackend(),
    layabauth_doors.FlaskDecorator(),
)
CONFORMING = [door for door in DOORS if door.conforms]
GUARDS = [door for door in CONFORMING if door.guard is not None]


def at(doors: Sequence[Door]) -> pytest.MarkDecorator:
    """Run a test at each of these doors."""
    return pytest.mark.parametrize("door", doors, ids=lambda door: door.name)


at_every_door = at(CONFORMING)
at_every_guard = at(GUARDS)
