"""The steps that `make instructions` counts in one process: `python -m bench.steps DIRECTORY`.

Each step is a batch between two marks, after a batch that warmed it up, in the loops that `make bench` times.
Only public names of the library are called, so that a step goes on meaning the same however the inside is
rewritten. What it prints, a line of JSON for each batch, says which interval is which.
"""

from __future__ import annotations

import gc
import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

import flask
from fastapi import FastAPI, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response

import bearerguard
from bearerguard import ResourceServer, Rule, claim
from bearerguard.asgi import Guard as ASGIGuard
from bearerguard.fastapi import Guard as FastAPIGuard
from bearerguard.flask import Guard as FlaskGuard
from bearerguard.starlette import AuthenticateMiddleware
from bench import floor, requests
from bench.callgrind import mark
from bench.cases import loop
from bench.kinds import KINDS, Kind
from bench.material import Material
from bench.verifiers.ours import provider

WARM, COUNT = 32, 64
Run = Callable[[Any], None]
Step = tuple[str, Run, Sequence[Any], Sequence[Any]]
"""A name, a loop, the batch that warms it up and the one that is counted."""


def rules_of(kind: Kind) -> list[Rule]:
    """Three rules and more, of which the first is what a route asks; every token of the kind fulfils all."""
    asked = [getattr(bearerguard, name)(value) for name, value in kind.asks.items()]
    audience = kind.options.get("audience_claim", "aud")
    return [*asked, claim("iss", kind.issuer), claim(audience, kind.audience), claim("exp", lambda _: True)]


class NothingAsked(SecurityBase):
    """A dependency that does nothing: what any dependency costs in FastAPI."""

    def __init__(self) -> None:
        self.model = HTTPBearer()
        self.scheme_name = "nothing"

    async def __call__(self, connection: HTTPConnection) -> None:
        """Let everybody through."""


def _fastapi(dependency: Any) -> Run:
    app = FastAPI(openapi_url=None)

    @app.get("/greeting", response_model=None)
    async def greet(token: Any = dependency) -> Response:
        return PlainTextResponse("hello")

    return requests.run_through(app)


def _flask(decorate: Callable[[Any], Any]) -> Run:
    app = flask.Flask(__name__)

    @app.get("/greeting")
    @decorate
    def greet() -> str:
        return "hello"

    def start(status: str, headers: Any, exc_info: Any = None) -> Any:
        if status != "200 OK":
            raise RuntimeError(f"the application answered {status}")

    def run(batch: Sequence[dict[str, Any]]) -> None:
        for environ in batch:
            answer: Any = app.wsgi_app(environ, start)
            answer.close()

    return run


def _environ(token: str) -> dict[str, Any]:
    others = {
        "HTTP_" + name.decode().upper().replace("-", "_"): value.decode()
        for name, value in requests.OTHER_HEADERS
    }
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/greeting",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        **others,
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def _undecorated(view: Any) -> Any:
    def nothing(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    nothing.__name__ = view.__name__
    return nothing


def _read(name: str) -> Run:
    """The loop that reads one property of each of a batch of tokens."""
    scope: dict[str, Any] = {}
    exec(f"def run(batch):\n    for token in batch:\n        token.{name}\n", scope)  # noqa: S102 - our text
    run: Run = scope["run"]
    return run


def steps_of(material: Material, kind: Kind) -> Iterator[Step]:
    """What is counted for a kind."""
    tokens = material.tokens(f"RS256.{kind.name}")
    warm, new = tokens[:WARM], tokens[WARM : WARM + COUNT]
    # Of a remembered token nothing else is hashed: of the signature by a key of 2,048 bits, two whole blocks.
    hashed_of_it = tokens[0][-256:].encode()
    repeated = tokens[:1] * COUNT
    blake2b = hashlib.blake2b

    def hashed(batch: Sequence[bytes]) -> None:
        for text in batch:
            blake2b(text).digest()

    yield "hash", hashed, [hashed_of_it] * WARM, [hashed_of_it] * COUNT

    def server() -> ResourceServer:
        return ResourceServer(provider(material, "RS256", kind))

    check = floor.run("RS256", material.public_key("RS256"))
    yield "signature", check, [floor.signed(token) for token in warm], [floor.signed(token) for token in new]
    yield "verify new", loop(server().verify), warm, new
    yield "verify repeated", loop(server().verify), repeated, repeated

    protected = requests.run_through(AuthenticateMiddleware(requests.application(), server=server()))
    bare = requests.run_through(requests.application())
    for name, run in (("bare", bare), ("middleware", protected)):
        yield f"request {name}", run, _scopes(repeated), _scopes(repeated)

    first, *_ = rules = rules_of(kind)
    yield (
        "fastapi requires",
        _fastapi(FastAPIGuard(server()).requires(first)),
        _scopes(repeated),
        _scopes(repeated),
    )
    decorate = FlaskGuard(server()).requires(first)
    yield "flask requires", _flask(decorate), *([_environ(token) for token in repeated] for _ in "12")

    verify = server().verify
    for name in ("scopes", "roles", "permissions"):
        # One batch of tokens is read before the other is made: each of them is its first reading, but not the
        # first of what is remembered.
        _read(name)([verify(tokens[0]) for _ in repeated])
        remembered = [verify(tokens[0]) for _ in repeated]
        yield f"read {name}", _read(name), [verify(tokens[0]) for _ in repeated], remembered

    guard = ASGIGuard(server())
    for name, demand in (("no rule", None), ("three rules", reduce(and_, rules[:3]))):
        behind = requests.run_through(guard.protect(_answer_nothing, demand))
        yield f"asgi, {name}", behind, _scopes(repeated), _scopes(repeated)


async def _answer_nothing(scope: Any, receive: Any, send: Any) -> None:
    """The least that an application can be."""


def _scopes(tokens: Sequence[str]) -> list[Any]:
    # Popped from the end by the loop, and so fresh ones each time.
    return [requests.request_scope(token) for token in tokens]


def common_steps() -> Iterator[Step]:
    """What is the same for all kinds."""
    token = "nothing"
    yield "fastapi nothing", _fastapi(Security(NothingAsked())), *(_scopes([token] * COUNT) for _ in "12")
    yield "flask nothing", _flask(_undecorated), *([_environ(token) for _ in range(COUNT)] for _ in "12")


def main(directory: str) -> None:
    """Run every step, and say which they were."""
    material = Material(Path(directory))
    everything: list[tuple[str, Step]] = [("", step) for step in common_steps()]
    everything += [(name, step) for name, kind in KINDS.items() for step in steps_of(material, kind)]
    gc.collect()
    gc.freeze()
    mark()
    mark()
    print(json.dumps(["", "marks", 1]))
    for kind, (name, run, warm, batch) in everything:
        count = len(batch)
        run(warm)
        gc.collect()
        gc.freeze()  # as under uvicorn: no step pays for what others have left behind
        mark()
        run(batch)
        mark()
        print(json.dumps([kind, name, count]))


if __name__ == "__main__":
    main(*sys.argv[1:])
