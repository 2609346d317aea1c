"""Keys that were given: a certificate among them is told of where its dates are past, and used."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from bearerguard import Provider, ResourceServer
from bearerguard.testing import Clock, Issuer

BEGINS, ENDS = dt.datetime(2025, 3, 1, tzinfo=dt.UTC), dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def certificate(issuer: Issuer) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer.test")])
    key = cast("Any", issuer.signing_key.private)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, BEGINS, ENDS).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (BEGINS - dt.timedelta(days=1), "is valid from 2025-03-01 on"),
        (BEGINS, None),
        (ENDS, None),
        (ENDS + dt.timedelta(seconds=1), "expired on 2026-03-01"),
    ],
    ids=["early", "begins", "ends", "late"],
)
def test_a_certificate_past_its_dates_is_warned_of_by_the_servers_clock_and_used(
    now: dt.datetime, said: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(now.timestamp())
    issuer = Issuer(clock=clock)
    keys = {issuer.signing_key.kid: certificate(issuer)}
    server = ResourceServer(
        Provider(issuer.url, audience=issuer.audience, keys=keys, name="shop"), clock=clock
    )
    assert server.verify(issuer.token("ada")).subject == "ada"
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    if said is None:
        assert warnings == []
    else:
        (warning,) = warnings
        assert warning.startswith("provider 'shop': the certificate of a key (kid ")
        assert said in warning


def test_a_clock_is_not_asked_for_keys_without_dates() -> None:
    def clock() -> float:
        raise AssertionError

    issuer = Issuer()
    ResourceServer(Provider(issuer.url, audience=issuer.audience, keys=issuer.jwks()), clock=clock)
