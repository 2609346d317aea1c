"""What a guard refuses to be built with, whatever the door."""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import ConfigurationError
from bearerguard.asgi import Guard
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


def test_an_issuer_that_is_no_url_is_not_published() -> None:
    issuer = Issuer("accounts.internal", algorithm="ES256")
    guard = Guard(issuer.resource_server(keys=issuer.jwks()), resource="https://api.example")
    assert guard.metadata()["authorization_servers"] == []
