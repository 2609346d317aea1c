"""A server that asks an introspection endpoint about tokens, by a clock of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from bearerguard import AccessToken, Introspection, ProviderUnavailable, ResourceServer
from bearerguard.testing import Clock, Issuer
from tests.faults.scripted_provider import NO_CERTIFICATES, in_time, until

PATH = "/introspect"
SECRET = "the secret of the API"
TOKEN = "an-opaque-token"
AUDIENCE = "https://api.test"
PATIENT = 60.0  # seconds for a question that is to end by itself, on however busy a machine
GOOD = {"active": True, "sub": "user-1", "aud": AUDIENCE, "token_type": "Bearer", "exp": 2_000_000_000}


@dataclass(frozen=True)
class Asking:
    """A server that asks the endpoint, by a clock of its own."""

    clock: Clock
    server: ResourceServer

    def verify(self, colour: str = "sync", token: str = TOKEN) -> AccessToken:
        if colour == "sync":
            return in_time(lambda: self.server.verify(token))
        return in_time(lambda: anyio.run(self.server.averify, token, backend=colour))

    def unavailable(self, colour: str = "sync", token: str = TOKEN) -> ProviderUnavailable:
        with pytest.raises(ProviderUnavailable) as caught:
            self.verify(colour, token)
        return caught.value

    def rests(self) -> None:
        """Wait until the thread that asked has put its connection back, which it does after the answer."""
        source = self.server._answers.by_name["asked"]
        until(lambda: len(source._idle) == len(source._askers), "the thread that asked")

    @property
    def health(self) -> dict[str, Any]:
        report = json.loads(json.dumps(self.server.health()))
        told: dict[str, Any] = report["providers"]["asked"]["introspection"]
        return told


def asking(url: str, *, timeout: float = PATIENT, verify: Any = NO_CERTIFICATES, **options: Any) -> Asking:
    clock = Clock(1_800_000_000)
    issuer = Issuer(clock=clock, algorithm="ES256")
    introspection = Introspection(
        "orders-api",
        SECRET,
        url=url,
        http_options={"timeout": timeout, "verify": verify, "trust_env": False},
        **options,
    )
    server = issuer.resource_server(keys=issuer.jwks(), name="asked", introspection=introspection)
    return Asking(clock, server)
