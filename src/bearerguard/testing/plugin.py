"""The pytest plugin: the fixture `issuer`. Active wherever the library is installed.

Being active everywhere, it makes no key and imports no HTTP client until a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bearerguard.testing.issuer import Issuer

__all__ = ["issuer"]


@pytest.fixture
def issuer() -> Issuer:
    """A real OAuth 2.0 issuer in the process, new for each test: see `bearerguard.testing.Issuer`."""
    from bearerguard.testing.issuer import Issuer  # noqa: PLC0415

    return Issuer()
