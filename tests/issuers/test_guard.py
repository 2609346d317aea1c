"""Which issuers a guard names to clients where tenants have their own."""

from __future__ import annotations

from typing import Any

import pytest

from bearerguard import ConfigurationError, Provider, ResourceServer
from bearerguard.guard import BaseGuard
from bearerguard.presets import entra

RESOURCE = "https://api.example/v1"


def named(server: ResourceServer, **options: Any) -> Any:
    return BaseGuard(server, resource=RESOURCE, **options).metadata()["authorization_servers"]


def test_the_issuers_of_tenants_are_named_only_by_the_program() -> None:
    tenants = ["11111111-2222-3333-4444-555555555555"]
    many = entra(None, "66666666-7777-8888-9999-000000000000", tenants=tenants)
    one = Provider("https://login.example", audience="https://api.example")
    assert named(ResourceServer(many, one)) == ["https://login.example"]
    common = "https://login.microsoftonline.com/organizations/v2.0"
    assert named(ResourceServer(many), authorization_servers=common) == [common]
    assert named(ResourceServer.trusting(bool, audience="a"), authorization_servers=[common]) == [common]
    assert named(ResourceServer.trusting(bool, audience="a")) == []


@pytest.mark.parametrize("issuer", ["login.example", "http://login.example", 5])
def test_an_issuer_that_no_client_can_discover_is_not_named(issuer: Any) -> None:
    server = ResourceServer.trusting(bool, audience="a")
    with pytest.raises(ConfigurationError, match="give issuers as https"):
        BaseGuard(server, authorization_servers=[issuer])
