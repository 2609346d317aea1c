from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.asking import GOOD, PATH
from tests.faults.fault_server import FaultServer, respond
from tests.faults.scripted_provider import ScriptedProvider, scripted_provider


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    """An issuer behind a fault server, up at first."""
    with scripted_provider() as provider:
        yield provider


@pytest.fixture
def faults() -> Iterator[FaultServer]:
    """An introspection endpoint, well at first."""
    with FaultServer() as server:
        server.script(PATH, respond(GOOD))
        yield server
