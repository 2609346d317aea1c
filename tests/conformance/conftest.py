from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from bearerguard import ResourceServer
from bearerguard.logging import TokenFilter
from bearerguard.testing import Issuer


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """One issuer for all of these tests, which is never in trouble."""
    return Issuer()


@pytest.fixture
def own_issuer() -> Issuer:
    """An issuer of the test's own, to do with as it likes."""
    return Issuer("https://own.test")


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
