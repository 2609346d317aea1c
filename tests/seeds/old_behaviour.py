"""Runs where the two libraries are installed as published: how they behave apart from requests, as JSON.

A program of its own: `issuer`, `audience`, `keys`, a `jwk` and a `pem` of them, a sound `token`, a `forged`
one, a `secret` with a token signed by it (`symmetric`), and `setups` (a provider and a token by name) come
by standard input.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import types
import warnings
from collections.abc import Callable
from typing import Any

import flask
import httpx
import layabauth.flask  # type: ignore[import-not-found]
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette_oauth2_api import AuthenticateMiddleware  # type: ignore[import-not-found]

given: dict[str, Any] = json.load(sys.stdin)
PROVIDER = {name: given[name] for name in ("keys", "issuer", "audience")}
ADDRESS = "https://issuer.test/jwks"


def outcome(act: Callable[[], Any]) -> Any:
    """What comes of it, or the name of the exception."""
    try:
        return act()
    except BaseException as problem:  # noqa: BLE001 - the exception is the finding
        return type(problem).__name__


def status(providers: dict[str, Any], token: str | None, **options: Any) -> Any:
    """The status of a request, 200 where it reaches the application."""
    messages: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        messages.append({"status": 200})

    async def send(message: Any) -> None:
        messages.append(message)

    headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
    app = AuthenticateMiddleware(application, providers=providers, **options)
    asyncio.run(app({**scope, "server": ("api.test", 80), "scheme": "http"}, None, send))
    if messages[0]["status"] == 200:
        return 200
    names = [name.decode() for name, value in messages[0]["headers"]]
    return {"status": messages[0]["status"], "headers": names, "body": json.loads(messages[1]["body"])}


def short(answer: Any) -> Any:
    return answer["status"] if isinstance(answer, dict) else answer


def setups() -> dict[str, Any]:
    """What comes of a sound request with each of the providers."""
    return {
        name: short(outcome(lambda one=one: status({"login": one["provider"]}, one["token"])))  # type: ignore[misc]
        for name, one in given["setups"].items()
    }


def fetches_of_middleware() -> dict[str, Any]:
    """How often, and on which thread, keys are asked for by its own function; what comes of its failure."""
    threads: list[bool] = []

    def get_keys(keys: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        return given["keys"]

    def failing(keys: Any) -> Any:
        raise OSError("no network")

    one = {"login": {**PROVIDER, "keys": ADDRESS}}
    status(one, given["token"], get_keys=get_keys)
    return {
        "on the thread of the event loop": threads,
        "keys cannot be fetched": short(outcome(lambda: status(one, given["token"], get_keys=failing))),
        "a dict of minutes that leaves a provider out": outcome(
            lambda: status(one, given["token"], get_keys=get_keys, key_refresh_minutes={})
        ),
    }


def forms_of_keys() -> dict[str, Any]:
    """What comes of a sound request with keys in forms that JSON does not have."""
    jwk, pem = given["jwk"], given["pem"]
    forms: dict[str, Any] = {
        "a mapping of kid to JWK": {jwk["kid"]: jwk},
        "a set of PEM": {pem},
        "a generator": (key for key in [jwk]),
        "PEM bytes": pem.encode(),
    }
    return {
        name: short(outcome(lambda keys=keys: status({"login": {**PROVIDER, "keys": keys}}, given["token"])))  # type: ignore[misc]
        for name, keys in forms.items()
    }


def programs() -> dict[str, Any]:
    """What comes of middleware that is built in odd ways."""
    fetched: list[Any] = []
    addressed = {"login": {**PROVIDER, "keys": ADDRESS}}

    def get_keys(keys: Any) -> Any:
        fetched.append(keys)
        return given["keys"]

    def fetches(minutes: Any) -> int:
        """How often keys are fetched for three requests."""
        fetched.clear()
        app = AuthenticateMiddleware(None, addressed, None, get_keys, minutes)
        for _ in range(3):
            app.claims(given["token"])
        return len(fetched)

    return {
        "no providers": short(outcome(lambda: status({}, given["token"]))),
        "a name that is no string": AuthenticateMiddleware(None, {1: PROVIDER}).claims(given["token"])[0],
        "a secret by get_keys": short(
            outcome(lambda: status(addressed, given["symmetric"], get_keys=lambda keys: given["secret"]))
        ),
        "fetches with no minutes": fetches(0),
        "fetches with negative minutes": fetches(-1),
        "fetches with minutes of an unknown provider": fetches({"login": 60, "logon": 1}),
    }


def lifespan() -> Any:
    """What comes of the start of an application."""
    app = Starlette(middleware=[Middleware(AuthenticateMiddleware, providers={"login": PROVIDER})])

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        return

    return outcome(lambda: asyncio.run(app({"type": "lifespan"}, receive, send)))


def in_flask() -> dict[str, Any]:
    """How layabauth's door for Flask behaves."""
    fetches: list[str] = []

    def fetch(request: httpx.Request) -> httpx.Response:
        fetches.append(str(request.url))
        return httpx.Response(200, json=given["keys"])

    app = flask.Flask(__name__)
    authenticated = layabauth.flask.requires_authentication(ADDRESS, transport=httpx.MockTransport(fetch))
    seen: dict[str, Any] = {}

    @app.get("/")
    @authenticated  # type: ignore[untyped-decorator]
    def view() -> str:
        layabauth.flask.requires_scopes(lambda token, token_body: "reader", "read")
        return ""

    @app.get("/public")
    def public() -> str:
        record = types.SimpleNamespace()
        layabauth.flask.UserIdFilter("sub").filter(record)
        return str(record.user_id)

    @app.errorhandler(401)
    def refused(error: Any) -> tuple[str, int]:
        seen["token"] = flask.g.get("token", "not there")
        return "", 401

    client = app.test_client()
    sound = {"Authorization": f"Bearer {given['token']}"}
    statuses = [client.get("/", headers=sound).status_code for _ in range(3)]
    fetched = len(fetches)
    no_token = client.get("/", headers={"Authorization": "Bearer mocked_token"})
    return {
        "statuses of three requests": statuses,
        "fetches for three requests": fetched,
        "fetches for what is no token": len(fetches) - fetched,
        "flask.g.token after a refusal": seen["token"],
        "challenge": no_token.headers.get("WWW-Authenticate"),
        "user id of a token that nobody verified": client.get("/public", headers=sound).text,
    }


if __name__ == "__main__":
    logging.disable()
    warnings.simplefilter("ignore")
    behaviour = {
        "setups": setups(),
        "forms of keys": forms_of_keys(),
        "programs": programs(),
        "fetches": fetches_of_middleware(),
        "lifespan": lifespan(),
        "flask": in_flask(),
        "no token": status({"login": PROVIDER}, None),
        "bad token": status({"login": PROVIDER, "other": PROVIDER}, given["forged"]),
        "no keys": outcome(lambda: status({"login": {"issuer": "x", "audience": "y"}}, None)),
    }
    sys.stdout.write(json.dumps(behaviour))
