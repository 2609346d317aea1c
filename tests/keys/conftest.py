from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.scripted_provider import ScriptedProvider, scripted_provider


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    """An issuer behind a fault server, up at first."""
    with scripted_provider() as provider:
        yield provider
