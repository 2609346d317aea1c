from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from bearerguard import Provider, ResourceServer
from bearerguard.logging import TokenFilter
from bearerguard.testing import Issuer


class OpaqueTokens(Issuer):
    """Issues opaque tokens, and calls them active whatever they are, so that the API has to look itself.

    What is asked for by its header or its signature is a JWT all the same.
    """

    def token(self, *arguments: Any, **named: Any) -> str:
        if named.keys() & {"alg", "header", "key"}:
            return super().token(*arguments, **named)
        return self.opaque_token(*arguments, active=True, **named)

    def provider(self, **overrides: Any) -> Provider:
        return super().provider(**{"introspection": self.introspection(signed=True), **overrides})


KINDS: dict[str, type[Issuer]] = {"JWT": Issuer, "opaque": OpaqueTokens}
"""What every test of a door is done with: tokens that an API reads itself, and those that it asks about."""


@pytest.fixture(scope="session", params=KINDS)
def issuer(request: pytest.FixtureRequest) -> Issuer:
    """One issuer for all of these tests, which is never in trouble."""
    return KINDS[request.param]()


@pytest.fixture(params=KINDS)
def own_issuer(request: pytest.FixtureRequest) -> Issuer:
    """An issuer of the test's own, to do with as it likes."""
    return KINDS[request.param]("https://own.test")


@pytest.fixture(scope="session")
def server(issuer: Issuer) -> ResourceServer:
    """Trusts the issuer, and has its keys already."""
    return issuer.resource_server(keys=issuer.jwks())


class Lines(logging.Handler):
    """Keeps who made the request, for each record: the subject, the client and the provider."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(TokenFilter())
        self.seen: list[tuple[Any, Any, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        given = record.__dict__
        self.seen.append((given["sub"], given["client_id"], given["provider"]))


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What the API logs."""
    handler, logger = Lines(), logging.getLogger("api")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
