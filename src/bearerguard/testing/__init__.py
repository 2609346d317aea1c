"""A test kit for APIs: a real issuer in the process, and the fixtures of a test that brings its own claims.

Nothing here switches verification off. `Issuer` signs with real keys that the API under test verifies;
`auth_mock` has a made-up bearer string exchanged for a token that is really signed and really verified.

`from bearerguard.testing import *` also brings `pytest`, as test files written for layabauth expect. pytest
is not needed, and not imported, for anything but that and `auth_mock`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bearerguard.testing.clock import Clock
from bearerguard.testing.exchange import RecordedRequest
from bearerguard.testing.issuer import Issuer
from bearerguard.testing.login_page import Persona
from bearerguard.testing.signing_keys import SigningKey, signing_key

if TYPE_CHECKING:
    import pytest

    from bearerguard.testing.stand_in import auth_mock

__all__ = [
    "Clock",
    "Issuer",
    "Persona",
    "RecordedRequest",
    "SigningKey",
    "auth_mock",
    "pytest",
    "signing_key",
]


if not TYPE_CHECKING:  # or a type checker would believe in any name

    def __getattr__(name: str) -> Any:
        if name == "pytest":
            import pytest  # noqa: PLC0415

            return pytest
        if name == "auth_mock":
            from bearerguard.testing.stand_in import auth_mock  # noqa: PLC0415

            return auth_mock
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
