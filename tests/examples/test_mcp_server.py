"""The example of an MCP server, started as README.md says and called by the SDK's own client."""

from __future__ import annotations

import importlib
import ssl
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from bearerguard.testing import Issuer
from tests.doors_under_test.exchange import run
from tests.examples.running import README, bearer, listening, running

importlib.import_module("jsonschema")  # the client does, when its first result comes: that reads files
TLS = ssl.create_default_context()
AUDIENCE = "https://orders.example"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer(audience=AUDIENCE, algorithm="ES256").serve() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def address(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening() as at:
        settings = {"ISSUER": issuer.url, "AUDIENCE": AUDIENCE, "RESOURCE": "https://api.example/mcp"}
        log = tmp_path_factory.mktemp("example") / "log"
        with running("mcp_server:app", at, log, **settings) as url:
            yield url


def http(token: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(headers=bearer(token), trust_env=False, verify=TLS, timeout=60)


def connected(address: str, http: httpx2.AsyncClient) -> AbstractAsyncContextManager[Client]:
    return Client(streamable_http_client(f"{address}/mcp", http_client=http), cache=None)


def test_the_example_is_in_the_readme_with_the_command_that_runs_it() -> None:
    assert "| [mcp_server.py](mcp_server.py) |" in README
    assert "\nuvicorn --app-dir examples mcp_server:app\n" in README


def test_orders_are_placed_listed_and_cancelled_by_those_who_may(address: str, issuer: Issuer) -> None:
    now = int(issuer.clock())
    ada = issuer.token("ada", "orders:read orders:write", roles=["admin"], auth_time=now)
    ben = issuer.token("ben", "orders:read orders:write")

    async def story() -> None:
        async with http(ben) as by_ben, connected(address, by_ben) as client:
            number = returned(await client.call_tool("place_order", {"article": "a table"}))
            listed = returned(await client.call_tool("list_orders"))
            assert listed[str(number)] == {"article": "a table", "by": "ben"}
            assert {order["by"] for order in listed.values()} == {"ben"}
            with pytest.raises(MCPError):
                await client.call_tool("cancel_order", {"number": number})
        async with http(ada) as by_ada, connected(address, by_ada) as client:
            assert returned(await client.call_tool("cancel_order", {"number": number})) is True
            assert returned(await client.call_tool("cancel_order", {"number": number})) is False

    run(story)


def returned(result: Any) -> Any:
    content = result.structured_content
    return content["result"] if content.keys() == {"result"} else content


def test_it_says_to_everybody_that_it_runs_and_whose_tokens_it_takes(address: str, issuer: Issuer) -> None:
    with httpx2.Client(base_url=address, trust_env=False, timeout=60) as client:
        assert client.get("/health").json() == "ok"
        assert client.get("/.well-known/oauth-protected-resource/mcp").json() == {
            "resource": "https://api.example/mcp",
            "authorization_servers": [issuer.url],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["orders:read", "orders:write"],
            "resource_name": "orders",
        }
        assert client.post("/mcp", json={}).status_code == 401
