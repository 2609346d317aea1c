"""The pytest plugin: the fixture `issuer`. Active wherever the library is installed.

It imports nothing of the library until a test asks for the fixture, so that test runs without one pay
nothing.
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
