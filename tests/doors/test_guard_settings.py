"""What a guard refuses to be built with, whatever the door."""

from __future__ import annotations

from typing import Any

import fastapi
import flask
import pytest

from bearerguard import AuthError, ConfigurationError
from bearerguard.asgi import Guard
from bearerguard.fastapi import Guard as FastAPIGuard
from bearerguard.flask import Guard as FlaskGuard
from bearerguard.testing import Issuer

SERVER = Issuer(algorithm="ES256").resource_server(keys=Issuer(algorithm="ES256").jwks())


@pytest.mark.parametrize(
    "settings",
    [
        {"realm": 5},
        {"realm": "\u00fcn\u00ef"},
        {"realm": "a\nb"},
        {"body": 5},
        {"resource": "http://api.example"},
        {"resource": "https://api.example/#part"},
        {"resource": "https://api.ex\u00e4mple/"},
        {"resource": 'https://api.example/"x'},
        {"resource": 5},
    ],
    ids=str,
)
def test_what_could_not_be_answered_with_is_a_configuration_error(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Guard(SERVER, **settings)


def test_a_guard_needs_a_server() -> None:
    with pytest.raises(ConfigurationError, match="ResourceServer"):
        Guard("https://login.example")  # type: ignore[arg-type] # the mistake that is tested


def test_an_issuer_that_is_not_a_url_is_not_published() -> None:
    issuer = Issuer("accounts.internal", algorithm="ES256")
    guard = Guard(issuer.resource_server(keys=issuer.jwks()), resource="https://api.example")
    assert guard.metadata()["authorization_servers"] == []


# -- what makes a body -------------------------------------------------------------------------------------


async def in_a_task(error: AuthError) -> tuple[str, bytes]:
    return "text/plain", b""


WRONG: dict[str, Any] = {
    "a dict": lambda error: {"message": error.description},
    "text": lambda error: error.description,
    "nothing": lambda error: None,
    "text in place of bytes": lambda error: ("text/plain", error.description),
    "the other way round": lambda error: (b"no", "text/plain"),
    "three things": lambda error: (401, "text/plain", b"no"),
    "a task": in_a_task,
    "a class": dict,
    "without an argument": lambda: ("text/plain", b"no"),
    "a mistake": lambda error: ("text/plain", error.nothing),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_body_that_is_none_is_told_when_the_guard_is_built(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^body (returns a|raises) .* media type and .*bytes"):
        Guard(SERVER, body=WRONG[name])


def test_a_body_that_needs_a_request_is_told_when_one_is_refused() -> None:
    def body(error: AuthError) -> Any:
        return {"path": flask.request.path}

    guard = FlaskGuard(SERVER, body=body)
    app = flask.Flask("api")
    with app.test_request_context(), pytest.raises(ConfigurationError, match="body returns a dict"):
        guard.requires()(lambda: "let in")()


@pytest.mark.parametrize("client", [{"client_id": "docs"}, 7, b"docs", ["docs"]], ids=str)
def test_a_client_of_the_docs_is_named_by_a_string(client: Any) -> None:
    with pytest.raises(ConfigurationError, match="docs_client_id is a "):
        FastAPIGuard(SERVER).install(fastapi.FastAPI(), docs_client_id=client)
