"""The door of docs/own-door.md: the block on that page, run as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from bearerguard.guard import BaseGuard
from tests.doors_under_test.door import Api, Door
from tests.doors_under_test.exchange import ask_wsgi

PAGE = Path(__file__).parents[2] / "docs" / "own-door.md"


def guard_on_the_page() -> type[BaseGuard]:
    [block] = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"__name__": "own_door"}
    exec(compile(block, str(PAGE), "exec", dont_inherit=True), names)  # noqa: S102 - what is tested
    guard: type[BaseGuard] = names["Guard"]
    return guard


class OwnDoor(Door):
    name = "own door"
    guard = guard_on_the_page()
    ask = staticmethod(ask_wsgi)
    joins_fields = True

    def app(self, guard: Any, api: Api) -> Any:
        def view(request: Request) -> Response:
            api.enter(request.environ["SCRIPT_NAME"] + request.environ["PATH_INFO"])
            content = api.content(request.environ.get("bearerguard.token"))
            return Response(json.dumps(content), content_type="application/json")

        views = {"/": guard.requires(api.rule, optional=api.optional)(view), "/health": view}

        @Request.application
        def app(request: Request) -> Response:
            response: Response = guard.install(lambda asked: views.get(asked.path, not_found)(asked))(request)
            return response

        return app


def not_found(request: Request) -> Response:
    return Response(status=404)
