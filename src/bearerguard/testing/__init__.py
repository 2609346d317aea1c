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

    from bearerguard.testing.api_client import APIClient
    from bearerguard.testing.client_certificate import CertificateAndKey, certificate_and_key, proxy_header
    from bearerguard.testing.stand_in import auth_mock

__all__ = [
    "APIClient",
    "CertificateAndKey",
    "Clock",
    "Issuer",
    "Persona",
    "RecordedRequest",
    "SigningKey",
    "auth_mock",
    "certificate_and_key",
    "proxy_header",
    "pytest",
    "signing_key",
]


if not TYPE_CHECKING:  # or a type checker would believe in any name

    def __getattr__(name: str) -> Any:
        if name == "pytest":
            import pytest  # noqa: PLC0415 - keeps the plugin's import short

            return pytest
        if name == "auth_mock":
            from bearerguard.testing.stand_in import auth_mock  # noqa: PLC0415 - keeps the plugin's import short

            return auth_mock
        if name == "APIClient":  # its HTTP library takes 150 ms to import
            from bearerguard.testing.api_client import APIClient  # noqa: PLC0415 - keeps the plugin's import short

            return APIClient
        if name in {"CertificateAndKey", "certificate_and_key", "proxy_header"}:  # X.509 takes some too
            from bearerguard.testing import client_certificate  # noqa: PLC0415 - keeps the plugin's import short

            return getattr(client_certificate, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
