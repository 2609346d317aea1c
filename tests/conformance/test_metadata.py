"""The metadata of the resource (RFC 9728): served to everybody, and written only by configuration."""

from __future__ import annotations

import pytest

from bearerguard import RemoteKeys, ResourceServer, scope
from bearerguard.testing import Issuer
from tests.doors_under_test.door import Door
from tests.doors_under_test.doors import at_every_http_guard
from tests.doors_under_test.exchange import Fields

WELL_KNOWN = "/.well-known/oauth-protected-resource"
RESOURCE = "https://api.test/v1"


@at_every_http_guard
def test_the_metadata_say_whose_tokens_are_taken_and_which_scopes_there_are(
    door: Door, issuer: Issuer, server: ResourceServer
) -> None:
    opened = door.open(server, scope("orders:read") | scope("orders:write"), resource=RESOURCE)
    for path in (WELL_KNOWN, f"{WELL_KNOWN}/v1"):
        answer = opened.get(path=path)
        assert answer.status == 200, path
        assert answer.json == {
            "resource": RESOURCE,
            "authorization_servers": [issuer.url],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["orders:read", "orders:write"],
        }
    assert opened.api.entered == []


@at_every_http_guard
def test_the_metadata_may_be_cached_and_read_from_any_origin(door: Door, server: ResourceServer) -> None:
    opened = door.open(server, resource=RESOURCE)
    answer = opened.get(path=WELL_KNOWN, fields=[(b"Origin", b"https://client.test")])
    assert answer.one("content-type") == "application/json"
    assert answer.one("cache-control") == "public, max-age=3600"
    assert answer.one("access-control-allow-origin") == "*"
    assert answer.one("content-length") == str(len(answer.body))


@at_every_http_guard
def test_a_browser_may_ask_for_the_metadata_with_headers_of_the_clients_own(
    door: Door, server: ResourceServer
) -> None:
    opened = door.open(server, resource=RESOURCE)
    preflight: Fields = [
        (b"Origin", b"https://client.test"),
        (b"Access-Control-Request-Method", b"GET"),
        (b"Access-Control-Request-Headers", b"mcp-protocol-version"),
    ]
    answer = opened.get(path=f"{WELL_KNOWN}/v1", method="OPTIONS", fields=preflight)
    assert 200 <= answer.status < 300
    assert answer.one("access-control-allow-origin") == "*"
    assert answer.one("access-control-allow-headers") == "*"
    assert opened.api.entered == []


@at_every_http_guard
def test_the_head_of_the_metadata_can_be_had(door: Door, server: ResourceServer) -> None:
    opened = door.open(server, resource=RESOURCE)
    whole, head = (opened.get(path=WELL_KNOWN, method=method) for method in ("GET", "HEAD"))
    assert (head.status, head.one("content-length")) == (200, whole.one("content-length"))


@at_every_http_guard
def test_nothing_that_a_request_says_gets_into_the_metadata_or_a_challenge(
    door: Door, server: ResourceServer
) -> None:
    opened = door.open(server, resource=RESOURCE)
    evil: Fields = [
        (b"Host", b"evil.test"),
        (b"X-Forwarded-Host", b"evil.test"),
        (b"X-Forwarded-Prefix", b"/evil.test"),
        (b"X-Original-URL", b"https://evil.test/"),
        (b"Forwarded", b"host=evil.test"),
    ]
    answers = [opened.get(path=WELL_KNOWN, fields=evil), opened.get(fields=evil)]
    assert [answer.status for answer in answers] == [200, 401]
    assert not any("evil" in answer.text for answer in answers)


@at_every_http_guard
def test_only_the_paths_of_the_metadata_are_open(door: Door, server: ResourceServer) -> None:
    opened = door.open(server, resource=RESOURCE)
    paths = (f"{WELL_KNOWN}/", f"{WELL_KNOWN}/v2", f"{WELL_KNOWN}/v1/x", "/.well-known")
    statuses = [opened.get(path=path).status for path in paths]
    assert not {200, 500} & set(statuses)
    assert opened.get(path=WELL_KNOWN, method="POST").status in {401, 404, 405}
    assert opened.api.entered == []


@pytest.mark.parametrize("resource", ["https://api.test", "https://api.test/"])
@at_every_http_guard
def test_a_resource_at_the_root_has_one_address_of_metadata(
    door: Door, resource: str, server: ResourceServer
) -> None:
    opened = door.open(server, resource=resource)
    assert opened.get(path=WELL_KNOWN).json["resource"] == resource
    where = opened.get().challenge["resource_metadata"]
    assert where == f"https://api.test{WELL_KNOWN}"


@at_every_http_guard
def test_without_an_address_there_are_no_metadata(door: Door, server: ResourceServer) -> None:
    opened = door.open(server)
    assert opened.get(path=WELL_KNOWN).status == (401 if door.is_whole and not door.mount else 404)
    assert opened.api.entered == []


@at_every_http_guard
def test_issuers_that_only_a_function_knows_are_not_named(door: Door) -> None:
    issuer = Issuer(algorithm="ES256")
    server = ResourceServer.trusting(
        lambda iss: iss == issuer.url,
        audience=issuer.audience,
        keys=RemoteKeys(http_options={"transport": issuer.transport}),
        clock=issuer.clock,
    )
    opened = door.open(server, resource=RESOURCE)
    assert opened.get(issuer.token("ada")).status == 200
    answer = opened.get(path=f"{WELL_KNOWN}/v1")
    assert answer.json["authorization_servers"] == []
    assert answer.json["bearer_methods_supported"] == ["header"]


@at_every_http_guard
def test_the_metadata_name_the_issuers_that_a_guard_was_told(door: Door, server: ResourceServer) -> None:
    issuers = ["https://login.example/one", "https://login.example/two"]
    opened = door.open(server, resource=RESOURCE, authorization_servers=issuers)
    assert opened.get(path=f"{WELL_KNOWN}/v1").json["authorization_servers"] == issuers
