"""The doors that every test of this folder goes through.

To put another one through all of it, write a small class that puts `Api` behind it, and add it to `DOORS`.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.conformance import asgi_doors, wsgi_doors
from tests.conformance.door import Door

DOORS: tuple[Door, ...] = (
    asgi_doors.PlainASGI(),
    asgi_doors.StarletteAsyncFunction(),
    asgi_doors.StarletteFunction(),
    asgi_doors.StarletteClass(),
    asgi_doors.StarletteMiddleware(),
    asgi_doors.StarletteMount(),
    asgi_doors.StarletteAuthenticate(),
    asgi_doors.FastAPIParameter(),
    asgi_doors.FastAPIFunction(),
    asgi_doors.FastAPIRouter(),
    wsgi_doors.PlainWSGI(),
    wsgi_doors.WSGIGenerator(),
    wsgi_doors.FlaskView(),
    wsgi_doors.FlaskAsyncView(),
    wsgi_doors.FlaskViewClass(),
    wsgi_doors.FlaskMethodView(),
    wsgi_doors.FlaskBlueprint(),
    wsgi_doors.FlaskApplication(),
    wsgi_doors.FlaskRestx(),
)
GUARDS = [door for door in DOORS if door.guard is not None]


def at(doors: Sequence[Door]) -> pytest.MarkDecorator:
    """Run a test at each of these doors."""
    return pytest.mark.parametrize("door", doors, ids=lambda door: door.name)


at_every_door = at(DOORS)
at_every_guard = at(GUARDS)
