"""Every door, once: `tests/conformance` and `tests/hostile` put all of these through everything they have.

To add one, write a small class that puts `Api` behind it, in a file for its framework beside this one, and
name it here.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.doors_under_test import (
    aiohttp_doors,
    django_doors,
    drf_doors,
    fastapi_doors,
    flask_doors,
    layabauth_doors,
    litestar_doors,
    ninja_doors,
    own_doors,
    plain_doors,
    server_doors,
    starlette_doors,
)
from tests.doors_under_test.door import Door
from tests.left_out import LEFT_OUT

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
    aiohttp_doors.Function(),
    aiohttp_doors.Method(),
    aiohttp_doors.Class(),
    aiohttp_doors.MethodOfClass(),
    aiohttp_doors.AsMiddleware(),
    litestar_doors.Handler(),
    litestar_doors.InThread(),
    litestar_doors.OfController(),
    litestar_doors.OfRouter(),
    django_doors.Function(),
    django_doors.FunctionOverASGI(),
    django_doors.AsyncFunction(),
    django_doors.AsyncFunctionOverWSGI(),
    django_doors.Class(),
    django_doors.AsyncClass(),
    django_doors.Site(),
    django_doors.SiteOverASGI(),
    drf_doors.View(),
    drf_doors.Function(),
    drf_doors.Set(),
    ninja_doors.Operation(),
    ninja_doors.AsyncOperation(),
    ninja_doors.OperationOverASGI(),
    ninja_doors.RouterOfAPI(),
    layabauth_doors.StarletteBackend(),
    layabauth_doors.FlaskDecorator(),
)
if "grpc" not in LEFT_OUT:
    from tests.doors_under_test import grpc_doors

    DOORS += (
        grpc_doors.Task(),
        grpc_doors.FunctionOfTasks(),
        grpc_doors.Function(),
    )
if "mcp" not in LEFT_OUT:
    from tests.doors_under_test import mcp_doors

    DOORS += (
        mcp_doors.Route(),
        mcp_doors.Tool(),
        mcp_doors.ToolOfItsOwnRule(),
    )
CONFORMING = [door for door in DOORS if door.conforms]
GUARDS = [door for door in CONFORMING if door.guard is not None]
OF_HTTP = [door for door in CONFORMING if door.is_http]
HTTP_GUARDS = [door for door in GUARDS if door.is_http]


def at(doors: Sequence[Door]) -> pytest.MarkDecorator:
    """Run a test at each of these doors."""
    return pytest.mark.parametrize("door", doors, ids=lambda door: door.name)


at_every_door = at(CONFORMING)
at_every_guard = at(GUARDS)
at_every_http_door = at(OF_HTTP)
at_every_http_guard = at(HTTP_GUARDS)
