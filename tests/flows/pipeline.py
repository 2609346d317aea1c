"""The pipeline with key sources whose every state a test sets by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, cast

import pytest
from msgspec.structs import astuple

from bearerguard import AccessToken, AuthError, ClientCertificate, Provider, Request
from bearerguard._core.credentials import encoded
from bearerguard._flows.binding import Binding
from bearerguard._flows.effects import KeySource, WaitForKeys
from bearerguard._flows.jwt import Effect
from bearerguard._flows.pipeline import Pipeline, Stages
from bearerguard._jose.key_material import read_keys
from bearerguard._jose.key_set import KeyIndex, KeySet
from bearerguard.testing import Clock, Issuer
from tests.proxies_writing import byte_sequence

NOW = 1_700_000_000.0
LATER = NOW + 10**9
"""Far ahead, but not never: keys that are never refreshed are constant."""
ISSUER = Issuer(algorithm="ES256", clock=Clock(NOW))
JWKS = ISSUER.jwks()
TOKEN = ISSUER.token()


FROM_PROXY = ClientCertificate.from_proxy("rfc9440", peers="10.0.0.5")
"""Where the certificates of clients come from; without it nobody knows of them."""


def showing(certificate: bytes, *fields: tuple[str, str]) -> Request:
    """A request whose client has shown a certificate to the proxy."""
    shown = ("Client-Cert", byte_sequence(certificate).decode())
    return Request("GET", "https://api.example/orders", [shown, *fields], peer="10.0.0.5")


class ProvenError(Exception):
    """What a proof was asked for."""


class _Proving:
    """In the place of the checks of proofs."""

    def check(self, jkt: str, presented: Any, request: Any, now: float) -> None:
        raise ProvenError(*astuple(presented), now)


PROVING = Binding(cast("Any", _Proving()))
"""Raises what it was asked to have proven."""


class StubSource:
    """Keys in memory, with the times that a test gives them; remembers when it was asked to refresh ahead."""

    def __init__(
        self, *jwks: Any, is_fixed: bool = False, refresh_at: float = LATER, usable_until: float = inf
    ) -> None:
        self.asked_ahead: list[float] = []
        self.key_set: KeySet | None = None
        if jwks:
            self.publish(*jwks, refresh_at=inf if is_fixed else refresh_at, usable_until=usable_until)

    def publish(self, *jwks: Any, refresh_at: float = LATER, usable_until: float = inf) -> None:
        keys, _ = read_keys(list(jwks), allow_secret=True)
        self.key_set = KeySet(KeyIndex(keys), refresh_at=refresh_at, usable_until=usable_until)

    def refresh_ahead(self, now: float) -> None:
        self.asked_ahead.append(now)


class Admitting:
    """A pipeline that takes a token as the issuer gives it out, at a time that each call says."""

    def __init__(self, trusted: Iterable[tuple[Provider, KeySource]]) -> None:
        self.now = NOW
        self.pipeline = Pipeline(trusted, lambda: self.now)
        self.stages: Stages | None = None

    def attempt(self, token: str | bytes, now: float = NOW) -> AccessToken | Effect:
        """The token, or the first effect of the stages that are left, which then stand in `stages`."""
        self.now = now
        outcome = self.pipeline.admit(token if isinstance(token, bytes) else encoded(token))
        if isinstance(outcome, AccessToken):
            return outcome
        self.stages = outcome
        return next(outcome)


def admitting(*sources: StubSource, **options: Any) -> Admitting:
    """A pipeline of one provider a source; all of the same issuer, named a, b, c ..."""
    settings = {"audience": ISSUER.audience, "keys": "https://issuer.test/jwks", **options}
    issuer = settings.pop("issuer", ISSUER.url)
    return Admitting(
        (Provider(issuer, name=name, **settings), source)
        for name, source in zip("abcd", sources, strict=False)
    )


def accepted(outcome: AccessToken | Effect) -> AccessToken:
    assert isinstance(outcome, AccessToken)
    return outcome


def wanted(outcome: AccessToken | Effect) -> WaitForKeys:
    assert isinstance(outcome, WaitForKeys)
    return outcome


def refusal(
    server: Admitting, token: Any, now: float = NOW, waited: Mapping[StubSource, float | None] | None = None
) -> AuthError:
    """The refusal of a token; sources that have to be waited for bring what `waited` says of each."""
    with pytest.raises(AuthError) as refused:
        admitted(server, token, now, waited)
    return refused.value


def admitted(
    server: Admitting, token: Any, now: float = NOW, waited: Mapping[StubSource, float | None] | None = None
) -> AccessToken:
    outcome = server.attempt(token, now)
    try:
        while isinstance(outcome, WaitForKeys):
            assert server.stages is not None
            assert isinstance(outcome.source, StubSource)
            # For a new key under the old name one may always ask; whoever tests that says what comes of it.
            is_second_look = outcome.cause == "signature" and waited is None
            outcome = server.stages.send(None if is_second_look else (waited or {})[outcome.source])
    except StopIteration as stop:
        return accepted(stop.value)
    return accepted(outcome)
