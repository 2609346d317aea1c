"""What a guard serves by itself, as values: the metadata of the resource (RFC 9728), and whose it is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bearerguard import ConfigurationError, Provider, ResourceServer, scope
from bearerguard.asgi import Guard
from bearerguard.endpoints import Endpoint, EndpointRequest
from bearerguard.starlette import AuthenticateMiddleware
from bearerguard.testing import Issuer
from tests.doors_under_test.exchange import Request, ask_asgi

WELL_KNOWN = "/.well-known/oauth-protected-resource"


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer(algorithm="ES256")


async def never(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError


def server_at(issuer: Issuer, resource: str | None = None) -> ResourceServer:
    return ResourceServer(
        Provider(issuer.url, audience=issuer.audience, keys=issuer.jwks()),
        resource=resource,
        clock=issuer.clock,
    )


def document_of(endpoint: Endpoint) -> Any:
    return json.loads(endpoint.answer(EndpointRequest("GET")).body)


def test_a_guard_without_a_resource_serves_nothing_by_itself(issuer: Issuer) -> None:
    guard = Guard(server_at(issuer))
    assert (guard.endpoints, guard.resource, guard.resource_metadata_address) == ((), None, None)


def test_every_guard_of_a_server_serves_and_names_the_servers_resource(issuer: Issuer) -> None:
    guard = Guard(server_at(issuer, "https://api.example/v1"))
    assert guard.resource == "https://api.example/v1"
    assert guard.resource_metadata_address == f"https://api.example{WELL_KNOWN}/v1"
    assert [endpoint.path for endpoint in guard.endpoints] == [f"{WELL_KNOWN}/v1", WELL_KNOWN]
    assert {document_of(endpoint)["resource"] for endpoint in guard.endpoints} == {"https://api.example/v1"}


def test_a_guard_of_a_part_has_a_resource_of_its_own(issuer: Issuer) -> None:
    guard = Guard(server_at(issuer, "https://api.example/v1"), resource="https://api.example/admin")
    assert guard.resource_metadata_address == f"https://api.example{WELL_KNOWN}/admin"
    assert document_of(guard.endpoints[0])["resource"] == "https://api.example/admin"
    assert guard.server.resource == "https://api.example/v1"


@pytest.mark.parametrize("resource", ["http://api.example", "https://api.example/#part", 5], ids=str)
def test_a_server_refuses_a_resource_that_no_client_could_know_it_by(issuer: Issuer, resource: Any) -> None:
    with pytest.raises(ConfigurationError, match="resource"):
        server_at(issuer, resource)


def test_a_resource_that_ends_in_a_slash_is_answered_for_with_and_without_it(issuer: Issuer) -> None:
    """A client compares `resource` with what it asked for, character by character (RFC 9728, section 3.3)."""
    guard = Guard(server_at(issuer, "https://api.example/v1/"))
    assert guard.resource_metadata_address == f"https://api.example{WELL_KNOWN}/v1/"
    assert [endpoint.path for endpoint in guard.endpoints] == [
        f"{WELL_KNOWN}/v1/",
        f"{WELL_KNOWN}/v1",
        WELL_KNOWN,
    ]
    assert {document_of(endpoint)["resource"] for endpoint in guard.endpoints} == {"https://api.example/v1/"}


def test_the_metadata_name_the_scopes_of_rules_that_were_asked_for_after_the_guard_was_built(
    issuer: Issuer,
) -> None:
    guard = Guard(server_at(issuer, "https://api.example"))
    [endpoint] = guard.endpoints
    assert "scopes_supported" not in document_of(endpoint)
    guard.demand(scope("orders:read"))
    assert document_of(endpoint)["scopes_supported"] == ["orders:read"]


def test_the_metadata_answer_what_a_browser_asks_first(issuer: Issuer) -> None:
    [endpoint] = Guard(server_at(issuer, "https://api.example")).endpoints
    assert endpoint.methods == ("GET", "HEAD", "OPTIONS")
    preflight = endpoint.answer(EndpointRequest("OPTIONS"))
    assert (preflight.status, preflight.body) == (204, b"")
    assert dict(preflight.headers) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET",
        "Access-Control-Allow-Headers": "*",
    }
    head, whole = (endpoint.answer(EndpointRequest(method)) for method in ("HEAD", "GET"))
    assert (head.status, head.headers) == (200, whole.headers)
    assert dict(whole.headers)["Content-Length"] == str(len(whole.body))


def test_readiness_is_the_servers_and_says_nothing_else(issuer: Issuer) -> None:
    guard = Guard(server_at(issuer))
    guard.readiness("/ready")
    [endpoint] = guard.endpoints
    assert (endpoint.path, endpoint.methods) == ("/ready", ("GET", "HEAD"))
    assert endpoint.answer(EndpointRequest("GET")).body == b'{"ready": true}'
    guard.server.close()
    answer = endpoint.answer(EndpointRequest("GET"))
    assert (answer.status, answer.body) == (503, b'{"ready": false}')


@pytest.mark.parametrize("path", ["ready", "", "/ready/{id}", "/<name>", "/a b", "/ready?x", None], ids=str)
def test_a_path_of_readiness_that_a_framework_could_read_otherwise_is_refused(
    issuer: Issuer, path: Any
) -> None:
    with pytest.raises(ConfigurationError, match="such as '/ready'"):
        Guard(server_at(issuer)).readiness(path)


def test_a_path_serves_one_thing(issuer: Issuer) -> None:
    guard = Guard(server_at(issuer, "https://api.example"))
    guard.readiness("/ready")
    for path in ("/ready", WELL_KNOWN):
        with pytest.raises(ConfigurationError, match="already"):
            guard.readiness(path)


def test_the_middleware_points_to_the_metadata_of_its_servers_resource(issuer: Issuer) -> None:
    app = AuthenticateMiddleware(never, server=server_at(issuer, "https://api.example/v1"))
    [answer] = ask_asgi(app, Request())
    assert answer.challenge["resource_metadata"] == f"https://api.example{WELL_KNOWN}/v1"
    assert answer.status == 400, "the contract of this middleware"


def test_a_scope_of_a_kind_that_did_not_exist_yet_opens_no_application(issuer: Issuer) -> None:
    server = server_at(issuer)
    for app in (Guard(server).protect(never), AuthenticateMiddleware(never, server=server)):
        with pytest.raises(ConfigurationError, match="webtransport"):
            asyncio.run(app({"type": "webtransport", "path": "/"}, None, None))  # type: ignore[arg-type]


@pytest.mark.parametrize("mount", ["", "/api"])
def test_authenticate_middleware_serves_the_metadata_that_its_challenges_name(
    issuer: Issuer, mount: str
) -> None:
    """To everybody, and without entering the application; a server without a resource has none."""
    app = AuthenticateMiddleware(never, server=server_at(issuer, "https://api.example/v1"))
    path = f"{mount}/.well-known/oauth-protected-resource/v1"
    [found, other] = ask_asgi(app, Request(path=path, mount=mount), Request("DELETE", path, mount=mount))
    assert (found.status, found.json["resource"], other.status) == (200, "https://api.example/v1", 400)
    bare = AuthenticateMiddleware(never, server=issuer.resource_server())
    [refused] = ask_asgi(bare, Request(path=path, mount=mount))
    assert refused.status == 400
